"""Our training step beside PyTorch's, in one run, step by step in turn: same shape, same first weights, same batches.

    python bench/student_speed.py [--rounds 12] [--only small large 80m]

    small      Llama 4 x 256, V = 8192, batches of 16 x 128
    large      Llama 6 x 256, V = 49152, batches of 8 x 128
    80m        Llama 15 x 576 (SmolLM2-135M with half of its layers), V = 49152, batches of 8 x 256

Sparse distillation (k = 32) and cross-entropy, clipping and AdamW, in fp32 and, where the processor can, bf16. The peer is
transformers' Llama with PyTorch's fused AdamW, in fp32 and under bf16 autocast. Ours also trains on text alone
(alpha = 0), which shows what soft targets cost. Figures are the median of the
rounds, and the median of each round's ratio. The losses of both sides' steps are compared, too: it is the same training. Needs torch,
transformers; compile the Java side as it says when it is not.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from peer import cpu, java
from transformers import AutoModelForCausalLM, LlamaConfig

K = 32
ALPHA = 0.5
NARROW = dict(hidden_size=256, intermediate_size=704, num_attention_heads=4, num_key_value_heads=4, head_dim=64)
SHAPES = {
    "small": (dict(vocab_size=8192, num_hidden_layers=4, **NARROW), 16, 128),
    "large": (dict(vocab_size=49152, num_hidden_layers=6, **NARROW), 8, 128),
    "80m": (dict(vocab_size=49152, num_hidden_layers=15, hidden_size=576, intermediate_size=1536, num_attention_heads=9,
                 num_key_value_heads=3, head_dim=64), 8, 256),
}


class Potstill:
    """A student in a process of its own."""

    def __init__(self, folder: Path, threads: int, alpha: float, precision: str = "FP32"):
        self.process = java("org.potstill.student.TrainingBenchmark", threads, alpha, precision, folder, module="student-model")
        self.process.stdout.readline()

    def step(self, file: Path) -> tuple[float, float]:
        """Seconds, and the loss before the step."""
        print(file, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the student did not train; its message is above")
        seconds, loss = map(float, line.split())
        return seconds, loss

    def close(self) -> int:
        """Peak memory in MiB."""
        self.process.stdin.close()
        return int(self.process.stdout.readline()) // 1024


class Transformers:
    def __init__(self, folder: Path, bf16: bool):
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        norms = [p for p in self.model.parameters() if p.dim() == 1]
        self.optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}],
                                           lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.bf16 = bf16

    def step(self, batch: tuple) -> tuple[float, float]:
        tokens, ids, probabilities = batch
        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.model(tokens[:, :-1], use_cache=False).logits
        log_probabilities = torch.log_softmax(logits.float(), -1)
        kl = (probabilities * (probabilities.log() - log_probabilities.gather(-1, ids))).sum(-1).mean()
        cross_entropy = torch.nn.functional.nll_loss(log_probabilities.flatten(0, 1), tokens[:, 1:].flatten())
        loss = ALPHA * kl + (1 - ALPHA) * cross_entropy
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - begin, loss.item()


def batch(rng: np.random.Generator, vocabulary: int, rows: int, time_: int, file: Path) -> tuple:
    """Random tokens, k distinct ids of the teacher's for each position; also written as TrainingBenchmark reads it."""
    tokens = rng.integers(0, vocabulary, (rows, time_ + 1))
    ids = np.sort(rng.integers(0, vocabulary - K, (rows, time_, K)), -1) + np.arange(K)
    probabilities = rng.dirichlet(np.full(K, 0.5), (rows, time_)).astype(np.float32) + np.float32(1e-6)
    probabilities /= probabilities.sum(-1, keepdims=True)
    with file.open("w") as out:
        for s in range(rows):
            words = [time_ + 1, K, *tokens[s]]
            for t in range(time_):
                words += [*ids[s, t], *probabilities[s, t]]
            out.write(" ".join(map(str, words)) + "\n")
    return torch.tensor(tokens), torch.tensor(ids), torch.tensor(probabilities)


def compare(name: str, options) -> None:
    shape, rows, time_ = SHAPES[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "distilled")
        text = Path(temporary, "text")
        half = Path(temporary, "bf16")
        config = LlamaConfig(max_position_embeddings=2048, tie_word_embeddings=True, rms_norm_eps=1e-5,
                             architectures=["LlamaForCausalLM"], **shape)
        for each in (folder, text, half):
            config.save_pretrained(each)
        ours = {"potstill": Potstill(folder, options.threads, ALPHA), "potstill, text alone": Potstill(text, options.threads, 0)}
        if "avx512_bf16" in Path("/proc/cpuinfo").read_text():
            ours["potstill bf16"] = Potstill(half, options.threads, ALPHA, "BF16")
        peers = {"PyTorch fp32": Transformers(folder, False), "PyTorch bf16": Transformers(folder, True)}
        rng = np.random.default_rng(0)
        seconds: dict = {each: [] for each in [*ours, *peers]}
        apart: dict = {each: 0.0 for each in peers}
        for step in range(options.warm_up + options.rounds):
            file = Path(temporary, "batch")
            arrays = batch(rng, shape["vocab_size"], rows, time_, file)
            taken = {each: student.step(file) for each, student in ours.items()}
            taken |= {each: peer.step(arrays) for each, peer in peers.items()}
            for each in peers:
                apart[each] = max(apart[each], abs(taken[each][1] / taken["potstill"][1] - 1))
            if step >= options.warm_up:
                for each, (spent, _) in taken.items():
                    seconds[each].append(spent)
        tokens = rows * time_
        print(f"\n{name}: {sum(p.numel() for p in peers['PyTorch fp32'].model.parameters()):,} parameters, batches of {rows} x {time_}")
        for each, student in ours.items():
            print(f"  {each}: {tokens / statistics.median(seconds[each]):.0f} tokens/s, peak memory {student.close()} MiB")
        ratio = statistics.median(a / b for a, b in zip(seconds["potstill"], seconds["potstill, text alone"]))
        print(f"  soft targets cost {ratio:.3f} x the time of text alone")
        for each in peers:
            print(f"  {each}: {tokens / statistics.median(seconds[each]):.0f} tokens/s; losses at most {apart[each]:.1e} from potstill's")
            for own in ours.keys() - {"potstill, text alone"}:
                ratio = statistics.median(a / b for a, b in zip(seconds[each], seconds[own]))
                print(f"    {own} is {ratio:.2f} x as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--warm-up", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(SHAPES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu()}, {options.threads} threads, torch {torch.__version__}")
    for name in options.only:
        compare(name, options)


if __name__ == "__main__":
    main()
