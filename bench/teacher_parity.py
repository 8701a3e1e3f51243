"""Compares our teacher with Hugging Face transformers on the same GGUF file: tokens, top-1, logits. teacher_speed.py has the speed.

    python bench/teacher_parity.py MODEL.gguf TEXT... [--files 5]

Needs torch, transformers, gguf; compile the Java side as it says when it is not.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch
from peer import java, tokenizer, transformers_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--length", type=int, default=513)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--files", type=int, default=5, help="texts whose logits are compared; tokens are for all")
    parser.add_argument("--scratch", default=str(Path(tempfile.gettempdir()) / "teacher-scratch"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    encode = tokenizer(options.model)
    model = transformers_model(options.model, torch.float32)

    common = [str(options.model), options.scratch, str(options.threads)]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as dump:
        dumped = java("org.potstill.teacher.ScoreDump", dump.name, options.files, *common, options.length, options.k, *options.texts)
        if dumped.wait() != 0:
            raise SystemExit("our side failed; its message is above")
        rows = [json.loads(line) for line in Path(dump.name).read_text().splitlines()]

    same = sum(
        encode(Path(r["file"]).read_text(encoding="utf-8"), add_special_tokens=False).input_ids == r["ids"]
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
        relative.append((ours - theirs).abs() / logits.abs().max(-1, keepdim=True).values)
        next_ids = ids[0, 1:, None]
        next_differences.append(((logits - lse).gather(1, next_ids)[:, 0]
                                 - torch.tensor(r["token_log_probabilities"])).abs())
    log_differences, relative = torch.cat(log_differences), torch.cat(relative)
    print(f"positions {positions}: top-1 agreement {agree / positions:.4%}, top-{options.k} overlap {sets / positions:.4%}")
    print(f"log-probability difference: max {log_differences.max():.2e}, mean {log_differences.mean():.2e}; "
          f"of the next token: max {torch.cat(next_differences).max():.2e}")
    print(f"relative to the largest logit: max {relative.max():.2e}, mean {relative.mean():.2e}")


if __name__ == "__main__":
    main()
