"""Our teacher pass beside Hugging Face transformers, in one run, pass by pass in turn.

    python bench/teacher_speed.py MODEL.gguf CORPUS [--rounds 5] [--only fp32 int8 long ragged draws]

    fp32       512-token sequences, top-64 and log-sum-exp: fp32 against fp32
    int8       the same, int8 against transformers in bf16 (label_overhead.py --precision int8 tells its KL to fp32)
    long       2048-token sequences, where attention weighs more
    ragged     sentences as documents, at their own lengths, against padded batches in the corpus's order
    draws      what 50 draws a position cost, or 50 from the tail of a top-8, beside the top-64

Figures are tokens that count, padding left out, a second: the median of the rounds, and the median of each round's ratio. Peak
memory is the whole process's. Needs torch, transformers, gguf; compile the Java side as it says when it is not.
"""

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import torch
from peer import Ours, cpu, tokenizer, transformers_model

K = 64
BATCH_TOKENS = 2048


def batches(sequences: list[list[int]], size: int) -> list[list[list[int]]]:
    return [sequences[i:i + size] for i in range(0, len(sequences), size)]


def transformers_pass(model, sequences: list[list[int]], size: int) -> float:
    """Padded batches in the order given; seconds."""
    begin = time.perf_counter()
    with torch.inference_mode():
        for batch in batches(sequences, size):
            longest = max(len(s) - 1 for s in batch)
            ids = torch.zeros(len(batch), longest, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, sequence in enumerate(batch):
                ids[row, :len(sequence) - 1] = torch.tensor(sequence[:-1])
                mask[row, :len(sequence) - 1] = 1
            seen = None if mask.all() else mask.to(model.device)
            logits = model(ids.to(model.device), attention_mask=seen, use_cache=False).logits
            for wanted in (*logits.topk(K), torch.logsumexp(logits, -1)):
                wanted.cpu()
    return time.perf_counter() - begin


def compare(title: str, options, peers: dict, sequences: list[list[int]], precision: str, size: int) -> None:
    """peers: name to model. size: rows of their batches."""
    tokens = sum(len(s) - 1 for s in sequences)
    ours = Ours("ONNX", "CPU", precision.upper(), options.threads, f"top-{K}", BATCH_TOKENS, options.model, options.scratch)
    ours.score(sequences)
    for model in peers.values():
        transformers_pass(model, sequences[:size], size)
    seconds: dict = {name: [] for name in ["ours", *peers]}
    for _ in range(options.rounds):
        seconds["ours"].append(ours.score(sequences))
        for name, model in peers.items():
            seconds[name].append(transformers_pass(model, sequences, size))
    peak = ours.close()
    print(f"\n{title}: {len(sequences)} sequences, {tokens} tokens")
    print(f"  potstill {precision}: {tokens / statistics.median(seconds['ours']):.0f} tokens/s, peak {peak} MiB")
    for name in peers:
        ratio = statistics.median(theirs / mine for theirs, mine in zip(seconds[name], seconds["ours"]))
        print(f"  {name}: {tokens / statistics.median(seconds[name]):.0f} tokens/s; potstill is {ratio:.2f} x as fast")


def compare_draws(options, sequences: list[list[int]], precision: str) -> None:
    tokens = sum(len(s) - 1 for s in sequences)
    specs = [f"top-{K}", "systematic-50-seed-0", "top-8-systematic-50-seed-0"]
    ours = {spec: Ours("ONNX", "CPU", precision.upper(), options.threads, spec, BATCH_TOKENS, options.model, options.scratch)
            for spec in specs}
    for engine in ours.values():
        engine.score(sequences)
    seconds = {spec: [] for spec in specs}
    for _ in range(options.rounds):
        for spec in specs:
            seconds[spec].append(ours[spec].score(sequences))
    print(f"\ndraws, {precision}: {len(sequences)} sequences, {tokens} tokens")
    for spec in specs:
        ratio = statistics.median(mine / top for mine, top in zip(seconds[spec], seconds[specs[0]]))
        print(f"  {spec}: {tokens / statistics.median(seconds[spec]):.0f} tokens/s, {ratio:.3f} x the time of {specs[0]}, "
              f"peak {ours[spec].close()} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "teacher-scratch")
    parser.add_argument("--only", nargs="*", default=["fp32", "int8", "long", "ragged", "draws"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu()}, {options.threads} threads, torch {torch.__version__}")

    encode = tokenizer(options.model)
    texts = [file.read_text(encoding="utf-8") for file in sorted(options.corpus.glob("*.txt"))]
    ids = [encode(text, add_special_tokens=False).input_ids for text in texts]
    chunks = [document[i:i + 513] for document in ids for i in range(0, len(document) - 512, 512)][::17][:8]
    if "draws" in options.only:
        compare_draws(options, chunks, "fp32")
        compare_draws(options, chunks, "int8")
    fp32 = transformers_model(options.model, torch.float32)
    if "fp32" in options.only:
        compare("fp32, 512-token sequences", options, {"transformers fp32": fp32}, chunks, "fp32", 4)
    if "int8" in options.only:
        bf16 = transformers_model(options.model, torch.bfloat16)
        compare("int8, 512-token sequences", options, {"transformers bf16": bf16, "transformers fp32": fp32}, chunks, "int8", 4)
        del bf16
    if "long" in options.only:
        whole = [document[:2049] for document in ids[:4]]
        compare("fp32, 2048-token sequences", options, {"transformers fp32": fp32}, whole, "fp32", 4)
    if "ragged" in options.only:
        sentences = re.split(r"(?<=[.!?])\s+", " ".join(texts[::5]))
        short = [s for s in (encode(text, add_special_tokens=False).input_ids for text in sentences) if len(s) > 1][:160]
        compare("fp32, ragged: sentences, batches of 16", options, {"transformers fp32, padded": fp32}, short, "fp32", 16)


if __name__ == "__main__":
    main()
