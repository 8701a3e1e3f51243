"""Writing on a GPU beside transformers' generate on the same GPU, with random weights: correct, the same in any company, and how fast.

    python bench/gpu_pass.py pack ... ; python bench/gpu_pass.py join RUNTIME      as gpu_pass.py says
    python bench/gpu_write.py --device cuda --runtime RUNTIME
    python bench/gpu_write.py --device cpu --shapes tiny --prompts 16              the CPU's writer in fp32, without a pack

For each shape it says: for the greedy answers, how often a token is the first choice of PyTorch in fp32 after the same text, and by how
much its logit is below the largest elsewhere; whether the answers to a part of the prompts, in another order, are the same, greedy
and sampled; and new tokens a second, in turn with transformers' generate in bf16 (greedy, sdpa, dynamic cache, batches of --texts sorted
by length and padded on the left). It ends with status 1 where tokens are too far from first choices or answers depend on their company.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from gpu_pass import SHAPES, cuda_libraries, checkpoint, load
from peer import cpu
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar
from write import Writer

GREEDY, SAMPLED = (0, 0, 1), (0.7, 0, 0.95)


def prompts(count: int, vocabulary: int) -> list[list[int]]:
    draw = random.Random(5)
    return [[draw.randrange(2, vocabulary) for _ in range(draw.choice([12, 30, 60, 100, 180, 400]) + draw.randrange(12))] for _ in range(count)]


def first_choices(reference: PreTrainedModel, asked: list[list[int]], answers: list[list[int]]) -> tuple[float, float]:
    """The share of tokens that are fp32's first choice, and how far the logits of others are below the largest, at most."""
    same, of, furthest = 0, 0, 0.0
    for prompt, answer in zip(asked, answers):
        if answer:
            with torch.inference_mode():
                logits = reference(torch.tensor([prompt + answer], device=reference.device)).logits[0, len(prompt) - 1:-1].float()
            gaps = logits.amax(-1) - logits.gather(1, torch.tensor([answer], device=logits.device).T)[:, 0]
            same, of, furthest = same + int((gaps == 0).sum()), of + len(answer), max(furthest, gaps.max().item())
    return same / of, furthest


def generate(model: PreTrainedModel, asked: list[list[int]], options) -> tuple[float, int]:
    begin, tokens = time.perf_counter(), 0
    order = sorted(asked, key=len, reverse=True)
    with torch.inference_mode():
        for first in range(0, len(order), options.texts):
            rows = order[first:first + options.texts]
            longest = max(map(len, rows))
            ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=model.device)
            mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=model.device)
            out = model.generate(ids, attention_mask=mask, max_new_tokens=options.max_new_tokens, min_new_tokens=options.max_new_tokens,
                                 do_sample=False, pad_token_id=0)
            tokens += out[:, longest:].numel()
    return time.perf_counter() - begin, tokens


def run(options) -> bool:
    cuda_libraries(options)
    torch.set_num_threads(options.threads)
    disable_progress_bar()
    precision = "FP16" if options.device == "cuda" else "FP32"
    card = torch.cuda.get_device_name(0) if options.device == "cuda" else cpu()
    print(f"{card}, torch {torch.__version__}, {precision}, {options.prompts} prompts, up to {options.max_new_tokens} new tokens, "
          f"{options.texts} texts at a time")
    well = True
    for shape in options.shapes:
        folder = options.scratch / shape
        config = checkpoint(shape, options.device, folder)
        asked = prompts(options.prompts, config.vocab_size)

        def start(sampling: tuple) -> Writer:
            return Writer(precision, options.threads, options.max_new_tokens, options.texts, options.cache_mib, *sampling, folder,
                          options.scratch / "weights", runtime=options.runtime)

        print(f"\n{shape}:", flush=True)
        for name, sampling in (("greedy", GREEDY), ("sampled", SAMPLED)):
            ours = start(sampling)
            seconds, answers, work = ours.write(asked)
            part = list(range(1, len(asked), 3))[::-1]
            again = ours.write([asked[i] for i in part])[1]
            same = sum(answers[i] == other for i, other in zip(part, again))
            well &= same == len(part)
            print(f"  {name}: {sum(map(len, answers))} new tokens, {work} new tokens, steps, tokens read; {same} of {len(part)} answers are the "
                  "same in other company", flush=True)
            if name == "greedy":
                share, furthest = first_choices(load(folder, torch.float32, options.device), asked, answers)
                well &= share >= 0.97 and furthest <= options.max_gap
                print(f"  first choices of fp32: {share:.2%} of the tokens, others at most {furthest:.3f} below")
                peer = load(folder, torch.bfloat16, options.device)
                generate(peer, asked[:options.texts], options)
                rates: dict = {"ours": [], "peer": []}
                for _ in range(options.rounds):
                    seconds, answers, work = ours.write(asked)
                    rates["ours"].append(sum(map(len, answers)) / seconds)
                    seconds, tokens = generate(peer, asked, options)
                    rates["peer"].append(tokens / seconds)
                ratio = statistics.median(mine / other for mine, other in zip(rates["ours"], rates["peer"]))
                print(f"  potstill {statistics.median(rates['ours']):.0f} new tokens/s, transformers bf16 {statistics.median(rates['peer']):.0f}: "
                      f"{ratio:.2f} x as fast ({len(rates['ours'])} rounds)", flush=True)
                del peer
            print(f"  peak on the host: {ours.close()} MiB", flush=True)
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["tiny", "135m", "1.7b"])
    parser.add_argument("--runtime", type=Path)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "potstill-gpu-pass")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--cache-mib", type=int, default=8192)
    parser.add_argument("--max-new-tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--max-gap", type=float, default=0.2)
    options = parser.parse_args()
    sys.exit(0 if run(options) else 1)


if __name__ == "__main__":
    main()
