"""Peak memory of the loss and its gradient at a language model's head: ours beside PyTorch's, each in fresh processes.

    python bench/loss_memory.py [--vocabularies 8192 49152 131072] [--rows 1024 4096]

Soft targets (k = 32) and cross-entropy of hidden states [rows, 256] under a tied table [V, 256]. What is measured is how far the peak of
the process's resident memory (VmHWM) rises above what it held before: inputs, gradients and targets are there and touched by then,
and a tiny problem has loaded libraries, started threads and compiled loops. Java's heap of 64 MiB, where one row of logits a thread is
worked on, is resident from the start. The peer is a plain log_softmax of all logits, with no logits kept beyond their use. The losses
of both sides must agree. Needs torch and Linux; compile the Java side as it says when it is not.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from peer import cpu, java

HIDDEN = 256
K = 32
STEPS = 3
JVM = ("-Xms64m", "-Xmx64m", "-XX:+UseSerialGC", "-XX:+AlwaysPreTouch", "-Dorg.bytedeco.javacpp.maxbytes=0",
       "-Dorg.bytedeco.javacpp.maxphysicalbytes=0")


def hashes(count: int) -> np.ndarray:
    mixed = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    return (mixed ^ mixed >> np.uint32(15)) * np.uint32(0x85EBCA77)


def filled(rows: int, columns: int, width: float) -> torch.Tensor:
    """As LossMemory fills it; with its gradient, which is there beforehand."""
    values = (hashes(rows * columns) >> np.uint32(16)).astype(np.float32) / np.float32(65536)
    tensor = torch.from_numpy(((values - np.float32(0.5)) * np.float32(width)).reshape(rows, columns)).requires_grad_()
    tensor.grad = torch.ones_like(tensor)
    return tensor


class Peer:
    def __init__(self, vocabulary: int, rows: int):
        self.hidden = filled(rows, HIDDEN, 2)
        self.table = filled(vocabulary, HIDDEN, 0.5)
        self.next = torch.from_numpy((hashes(rows) % np.uint32(vocabulary)).astype(np.int64))
        self.ids = (self.next[:, None] + 1 + torch.arange(K) * (vocabulary // K)) % vocabulary
        self.probabilities = torch.full((rows, K), 1 / K)

    def step(self) -> float:
        for each in (self.hidden, self.table):
            each.grad.zero_()
        log_probabilities = torch.log_softmax(self.hidden @ self.table.T, -1)
        kl = (self.probabilities * (self.probabilities.log() - log_probabilities.gather(-1, self.ids))).sum(-1).mean()
        loss = 0.5 * kl + 0.5 * torch.nn.functional.nll_loss(log_probabilities, self.next)
        del log_probabilities
        loss.backward()
        return loss.item()


def status(key: str) -> int:
    """KiB."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))


def measure_peer(threads: int, vocabulary: int, rows: int) -> None:
    torch.set_num_threads(threads)
    tiny = Peer(512, 128)
    for _ in range(10):
        tiny.step()
    wanted = Peer(vocabulary, rows)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    loss = wanted.step()
    for _ in range(STEPS - 1):
        wanted.step()
    print(loss, status("VmHWM") - before)


def theirs(threads: int, vocabulary: int, rows: int) -> tuple[float, float]:
    """The loss, and MiB."""
    done = subprocess.run([sys.executable, __file__, "--peer", *map(str, (threads, vocabulary, rows))], check=True, text=True,
                          stdout=subprocess.PIPE)
    loss, kib = map(float, done.stdout.split())
    return loss, kib / 1024


def ours(threads: int, vocabulary: int, rows: int) -> tuple[float, float]:
    process = java("org.potstill.student.LossMemory", threads, vocabulary, rows, HIDDEN, K, jvm=JVM, module="student-model")
    said = process.communicate()[0]
    if process.returncode != 0:
        raise SystemExit("the loss did not run; its message is above")
    loss, kib = map(float, said.split())
    return loss, kib / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabularies", type=int, nargs="*", default=[8192, 49152, 131072])
    parser.add_argument("--rows", type=int, nargs="*", default=[1024, 4096])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", type=int, nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        measure_peer(*options.peer)
        return
    print(f"{cpu()}, {options.threads} threads, torch {torch.__version__}\n")
    print("| vocabulary | rows | Potstill, MiB | PyTorch, MiB | share |\n|---:|---:|---:|---:|---:|")
    for rows in options.rows:
        for vocabulary in options.vocabularies:
            loss, mib = ours(options.threads, vocabulary, rows)
            peer_loss, peer_mib = theirs(options.threads, vocabulary, rows)
            if abs(loss / peer_loss - 1) > 1e-4:
                raise SystemExit(f"the losses differ: {loss} and {peer_loss}")
            print(f"| {vocabulary:,} | {rows:,} | {mib:,.0f} | {peer_mib:,.0f} | {mib / peer_mib:.3f} |", flush=True)


if __name__ == "__main__":
    main()
