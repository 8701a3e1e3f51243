"""Compares our teacher with Hugging Face transformers on the same GGUF file: tokens, top-1, logits, speed.

    python bench/teacher_parity.py MODEL.gguf TEXT... [--files 5] [--time 512 256]

Needs torch, transformers, accelerate, gguf; compile the Java side first:

    mvn -B -ntp -pl teacher-inference -am test-compile dependency:build-classpath \\
        -Dmdep.outputFile=target/test-classpath -Dmdep.includeScope=test
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent


def classpath() -> str:
    """Class folders of this reactor, and the jars that the command above listed."""
    listed = ROOT / "teacher-inference/target/test-classpath"
    modules = ["user-errors", "soft-labels", "checkpoints", "teacher-inference"]
    folders = [str(ROOT / m / "target/classes") for m in modules]
    folders.append(str(ROOT / "teacher-inference/target/test-classes"))
    return os.pathsep.join(folders + [listed.read_text().strip()])


def java(*arguments: str) -> str:
    command = ["java", "-Xmx1g", "-cp", classpath(), "org.potstill.teacher.ScoreDump", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--length", type=int, default=513)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--files", type=int, default=5, help="texts whose logits are compared; tokens are for all")
    parser.add_argument("--scratch", default=str(Path(tempfile.gettempdir()) / "teacher-scratch"))
    parser.add_argument("--time", type=int, nargs="*", default=[], help="also time sequences of these lengths")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    folder, name = str(options.model.parent), options.model.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()

    common = [str(options.model), options.scratch, str(options.threads)]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as dump:
        print(java("dump", dump.name, str(options.files), *common, str(options.length), str(options.k), *options.texts), end="")
        rows = [json.loads(line) for line in open(dump.name)]

    same = sum(
        tokenizer(Path(r["file"]).read_text(encoding="utf-8"), add_special_tokens=False).input_ids == r["ids"]
        for r in rows)
    print(f"tokens equal: {same} of {len(rows)} texts, {sum(len(r['ids']) for r in rows)} tokens; "
          f"decoded back: {sum(r['decodes'] for r in rows)}")

    agree = positions = 0
    sets = 0.0
    log_differences, relative, next_differences = [], [], []
    for r in rows[:options.files]:
        ids = torch.tensor([r["ids"][:options.length]])
        with torch.no_grad():
            logits = model(ids).logits[0, :-1]
        lse = torch.logsumexp(logits, -1, keepdim=True)
        n = logits.shape[0]
        ours_ids = torch.tensor(r["top_ids"]).view(n, options.k)
        ours = torch.tensor(r["top_probabilities"]).view(n, options.k).log()
        theirs = (logits - lse).gather(1, ours_ids)
        agree += (logits.argmax(-1) == ours_ids[:, 0]).sum().item()
        top = logits.topk(options.k).indices
        sets += sum(len(set(a.tolist()) & set(b.tolist())) / options.k for a, b in zip(top, ours_ids))
        positions += n
        log_differences.append((ours - theirs).abs())
        relative.append(((ours - theirs).abs() / logits.abs().max(-1, keepdim=True).values))
        next_ids = ids[0, 1:, None]
        next_differences.append(((logits - lse).gather(1, next_ids)[:, 0]
                                 - torch.tensor(r["token_log_probabilities"])).abs())
    log_differences, relative = torch.cat(log_differences), torch.cat(relative)
    print(f"positions {positions}: top-1 agreement {agree / positions:.4%}, top-{options.k} overlap {sets / positions:.4%}")
    print(f"log-probability difference: max {log_differences.max():.2e}, mean {log_differences.mean():.2e}; "
          f"of the next token: max {torch.cat(next_differences).max():.2e}")
    print(f"relative to the largest logit: max {relative.max():.2e}, mean {relative.mean():.2e}")

    for length in options.time:
        print(java("time", *common, str(length), str(options.k), *options.texts), end="")
        rows_per_batch = max(1, 1024 // length)
        ids = torch.tensor(rows[0]["ids"][:length] * rows_per_batch).view(rows_per_batch, length)
        for _ in range(4):
            start = time.time()
            with torch.no_grad():
                logits = model(ids).logits
                logits.topk(options.k)
                torch.logsumexp(logits, -1)
            print(f"transformers fp32 {rows_per_batch} x {length}: "
                  f"{rows_per_batch * length / (time.time() - start):.0f} tokens/s")
    print(f"peak memory of the python side: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
