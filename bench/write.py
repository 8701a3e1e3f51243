"""Our writer beside transformers' generate, in one run, round by round in turn: greedy answers to 64 prompts of mixed length.

    python bench/write.py MODEL.gguf CORPUS [--rounds 3] [--only fp32 int8 sampled]

    fp32       fp32 against fp32; the answers must be the same
    int8       ours in int8 against transformers in fp32; the same prompts, but other answers
    sampled    temperature 0.7, top-p 0.95, both in fp32

Half of the prompts are short questions, the others ask for a summary of 20 to 300 words of the corpus (a folder of text files); all have
the model's chat template, with its system message. The peer gets them in batches of 16, sorted by length, padded on the left, in the
fastest of the settings tried: sdpa attention, a dynamic cache. Figures are new tokens a second, those of padding and after an
answer's end left out: the median of the rounds, and the median of each round's ratio; also the ratio of the processors' time, which a
busy machine falsifies less. Needs torch, transformers, gguf; compile the Java
side as it says when it is not.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch
from peer import Ours, cpu, java, tokenizer, transformers_model

QUESTIONS = [
    "What is the capital of Norway?", "Why is the sky blue?", "Write a haiku about rain.", "How do I boil an egg?",
    "Name three uses of a paper clip.", "What is 17 plus 25?", "Explain gravity to a child.", "Who wrote Hamlet?",
    "Give me a name for a black cat.", "Translate 'good morning' into French.", "What does a compiler do?",
    "List the planets of the solar system.", "How can I sleep better?", "What is a prime number?", "Tell me a joke.",
    "Describe the taste of an apple.", "What is photosynthesis, and where in a cell does it take place?",
    "Write a short poem about the sea in winter.", "My bicycle's chain keeps falling off. What should I check first?",
    "What are the advantages and disadvantages of living in a large city?", "How does a refrigerator keep food cold?",
    "Give me five ideas for a birthday present for a ten-year-old who likes dinosaurs.", "What is the difference between weather and climate?",
    "Write a polite e-mail that asks a colleague to move a meeting from Monday to Tuesday.", "What is inflation?",
    "Why do leaves change their colour in autumn?", "Suggest a vegetarian dinner with rice and beans.", "What is a black hole?",
    "How many legs does a spider have, and is it an insect?", "Name a famous painting and say who made it.", "What is an atom made of?",
    "Write the first sentence of a detective story."]
SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
MAX_NEW_TOKENS = 128
BATCH = 16


def prompts(encode, corpus: Path) -> list[list[int]]:
    rng = random.Random(0)
    words = " ".join(file.read_text(encoding="utf-8") for file in sorted(corpus.glob("*.txt"))[::20]).split()
    asked = list(QUESTIONS)
    for i in range(32):
        begin = rng.randrange(len(words) - 300)
        asked.append("Summarise this text in two sentences: " + " ".join(words[begin:begin + 20 + 280 * i // 31]))
    rng.shuffle(asked)
    return [chat(encode, text) for text in asked]


def chat(encode, text: str) -> list[int]:
    """The prompt that SmolLM2's chat template makes of a message."""
    return encode(f"{SYSTEM}<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False).input_ids


class Writer(Ours):
    """Our writer in a process of its own. settings: the arguments of WritingBenchmark."""

    def __init__(self, *settings, **start):
        self.folder = tempfile.TemporaryDirectory()
        self.process = java("org.potstill.teacher.WritingBenchmark", *settings, jvm=("-Xmx2g",), **start)
        self.said("the writer did not start")

    def write(self, sequences: list[list[int]], shared: int = 0) -> tuple[float, list[list[int]], str]:
        """Seconds, the new tokens, and the work done. shared: how many tokens all sequences begin with, to be read once."""
        answers = Path(self.folder.name, "answers")
        seconds, *work = self.told_of(sequences, answers, shared).split()
        return float(seconds), [[int(word) for word in line.split()[1:]] for line in answers.read_text().split("\n")], " ".join(work)

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def told_of(self, sequences: list[list[int]], answers: Path, shared: int) -> str:
        file = Path(self.folder.name, "prompts")
        file.write_text("\n".join(" ".join(map(str, s)) for s in sequences) + "\n")
        print(file, answers, shared, sep="\t", file=self.process.stdin, flush=True)
        return self.said("the writer could not write")


def transformers_write(model, sequences: list[list[int]], stop: set[int], **how) -> tuple[float, list[list[int]]]:
    begin = time.perf_counter()
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]), reverse=True)
    answers: list = [None] * len(sequences)
    with torch.inference_mode():
        for first in range(0, len(order), BATCH):
            rows = order[first:first + BATCH]
            longest = max(len(sequences[i]) for i in rows)
            ids = torch.tensor([[0] * (longest - len(sequences[i])) + sequences[i] for i in rows])
            mask = torch.tensor([[0] * (longest - len(sequences[i])) + [1] * len(sequences[i]) for i in rows])
            out = model.generate(ids, attention_mask=mask, max_new_tokens=MAX_NEW_TOKENS, eos_token_id=sorted(stop), pad_token_id=0, **how)
            for i, row in zip(rows, out[:, longest:].tolist()):
                end = next((t for t, token in enumerate(row) if token in stop), len(row))
                answers[i] = row[:end]
    return time.perf_counter() - begin, answers


def compare(title: str, options, peer, asked, stop, precision: str, sampling: tuple, **how) -> None:
    ours = Writer(precision, options.threads, MAX_NEW_TOKENS, options.texts, options.cache_mib, *sampling, options.model, options.scratch)
    ours.write(asked[:4])
    transformers_write(peer, asked[:2], stop, **how)
    speeds: dict = {"ours": [], "peer": []}
    processor: list = []
    for _ in range(options.rounds):
        before = ours.processor_seconds()
        seconds, answers, work = ours.write(asked)
        mine = (ours.processor_seconds() - before) / sum(len(a) for a in answers)
        speeds["ours"].append(sum(len(a) for a in answers) / seconds)
        before = time.process_time()
        taken, theirs = transformers_write(peer, asked, stop, **how)
        processor.append((time.process_time() - before) / sum(len(a) for a in theirs) / mine)
        speeds["peer"].append(sum(len(a) for a in theirs) / taken)
        print(f"  round: potstill {seconds:.1f} s, transformers {taken:.1f} s; new tokens, steps, prompt tokens read: {work}", flush=True)
    same = sum(mine == other for mine, other in zip(answers, theirs))
    ratios = [mine / other for mine, other in zip(speeds["ours"], speeds["peer"])]
    print(f"{title}: {len(asked)} prompts of {min(map(len, asked))} to {max(map(len, asked))} tokens, "
          f"{sum(len(a) for a in answers)} new tokens, peak {ours.close()} MiB")
    print(f"  potstill: {statistics.median(speeds['ours']):.0f} new tokens/s, transformers: {statistics.median(speeds['peer']):.0f}; "
          f"potstill is {statistics.median(ratios):.2f} x as fast ({', '.join(f'{r:.2f}' for r in ratios)}), "
          f"with 1/{statistics.median(processor):.2f} of the processors' time")
    if "do_sample" not in how or not how["do_sample"]:
        print(f"  the same answers: {same} of {len(asked)}")
        for i, (mine, other) in enumerate(zip(answers, theirs)):
            if mine != other and precision == "FP32":
                at = next((t for t, (a, b) in enumerate(zip(mine, other)) if a != b), min(len(mine), len(other)))
                print(f"    prompt {i}: they part at token {at} of {len(mine)} and {len(other)}: {gap(peer, asked[i] + mine[:at])}")


def gap(model, ids: list[int]) -> str:
    with torch.inference_mode():
        top = model(torch.tensor([ids])).logits[0, -1].double().topk(2)
    return f"the peer's two best tokens are {top.values[0] - top.values[1]:.1e} apart"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--cache-mib", type=int, default=1024)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "teacher-scratch")
    parser.add_argument("--only", nargs="*", default=["fp32", "int8", "sampled"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu()}, {options.threads} threads, torch {torch.__version__}")
    encode = tokenizer(options.model)
    asked = prompts(encode, options.corpus)[:options.prompts]
    stop = set(encode.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]))
    peer = transformers_model(options.model, torch.float32)
    if "fp32" in options.only:
        compare("fp32, greedy", options, peer, asked, stop, "FP32", (0, 0, 1), do_sample=False)
    if "int8" in options.only:
        compare("int8 against fp32, greedy", options, peer, asked, stop, "INT8", (0, 0, 1), do_sample=False)
    if "sampled" in options.only:
        compare("fp32, sampled", options, peer, asked, stop, "FP32", (0.7, 0, 0.95), do_sample=True, temperature=0.7, top_k=0, top_p=0.95)


if __name__ == "__main__":
    main()
