"""Our teacher pass in bf16 and int8 beside OpenVINO in bf16, in one run, pass by pass in turn, and how far each is from fp32.

    python bench/openvino_speed.py MODEL.gguf CORPUS [--rounds 5] [--only bf16 int8]

512-token sequences, top-64 and log-sum-exp: in OpenVINO's case part of its graph, which is converted from a plain PyTorch module
with the same weights, of one shape, and compiled for the number of threads, in one stream (where a stream has one thread,
OpenVINO 2026.4 crashed with SIGFPE). It takes one or four sequences at a time; the faster of these in a trial counts. Figures are
as in teacher_speed.py; KL(fp32 || each), in nats per token, is over other sequences, against transformers in fp32. Needs torch,
transformers, accelerate, gguf and openvino; compile the Java side as it says when it is not.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import openvino
import torch
from peer import Ours, cpu, tokenizer, transformers_model
from torch.nn import functional

K = 64
LENGTH = 512
BATCH_TOKENS = 2048


class Llama(torch.nn.Module):
    """A Llama's forward pass over whole sequences of one length, with transformers' weights: transformers' own cannot be converted."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        config = model.config
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.width, self.epsilon = config.hidden_size // self.heads, config.rms_norm_eps
        theta = (getattr(config, "rope_parameters", None) or {}).get("rope_theta") or config.rope_theta
        angles = torch.outer(torch.arange(LENGTH).float(), theta ** -(torch.arange(0, self.width, 2).float() / self.width))
        both = torch.cat([angles, angles], -1)[None, None]
        self.register_buffer("cos", both.cos())
        self.register_buffer("sin", both.sin())

    def norm(self, x, layer):
        return layer.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon))

    def split(self, x, heads: int):
        return x.view(x.shape[0], LENGTH, heads, self.width).transpose(1, 2)

    def rotate(self, x):
        first, second = x[..., :self.width // 2], x[..., self.width // 2:]
        return x * self.cos + torch.cat([-second, first], -1) * self.sin

    def shared(self, x):
        batch, group = x.shape[0], self.heads // self.key_heads
        return x[:, :, None].expand(batch, self.key_heads, group, LENGTH, self.width).reshape(batch, self.heads, LENGTH, self.width)

    def forward(self, ids):
        x = self.model.model.embed_tokens(ids)
        for layer in self.model.model.layers:
            attention, inner = layer.self_attn, layer.mlp
            normed = self.norm(x, layer.input_layernorm)
            q, k, v = (self.split(projection(normed), heads) for projection, heads in (
                (attention.q_proj, self.heads), (attention.k_proj, self.key_heads), (attention.v_proj, self.key_heads)))
            mixed = functional.scaled_dot_product_attention(self.rotate(q), self.shared(self.rotate(k)), self.shared(v), is_causal=True)
            x = x + attention.o_proj(mixed.transpose(1, 2).reshape(x.shape[0], LENGTH, self.heads * self.width))
            normed = self.norm(x, layer.post_attention_layernorm)
            x = x + inner.down_proj(functional.silu(inner.gate_proj(normed)) * inner.up_proj(normed))
        return self.model.lm_head(self.norm(x, self.model.model.norm))


class Scores(torch.nn.Module):
    def __init__(self, llama):
        super().__init__()
        self.llama = llama

    def forward(self, ids):
        logits = self.llama(ids)
        return *logits.topk(K), torch.logsumexp(logits, -1)


class OpenVino:
    """A compiled graph. hint: the precision to compute in."""

    def __init__(self, graph, hint: str, threads: int, rows: int):
        self.rows = rows
        self.name = f"openvino {hint}, {rows} sequences at a time"
        graph = graph.clone()
        graph.reshape([rows, LENGTH])
        options = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        self.compiled = openvino.Core().compile_model(graph, "CPU", options)

    def score(self, ids: np.ndarray) -> float:
        """Seconds."""
        begin = time.perf_counter()
        for i in range(0, len(ids), self.rows):
            self.compiled([ids[i:i + self.rows]])
        return time.perf_counter() - begin

    def logits(self, ids: np.ndarray) -> np.ndarray:
        return self.compiled([ids[None]])[0][0]


def fastest(graph, hint: str, threads: int, ids: np.ndarray) -> OpenVino:
    candidates = [OpenVino(graph, hint, threads, rows) for rows in (1, 4)]
    for each in candidates:
        each.score(ids)
    return min(candidates, key=lambda each: min(each.score(ids) for _ in range(2)))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def divergence(reference: list[np.ndarray], logits: list[np.ndarray]) -> float:
    return float(np.mean([(np.exp(p) * (p - log_softmax(q))).sum(-1).mean() for p, q in zip(reference, logits)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "teacher-scratch")
    parser.add_argument("--only", nargs="*", default=["bf16", "int8"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{cpu()}, {options.threads} threads, openvino {openvino.__version__}")

    encode = tokenizer(options.model)
    texts = [file.read_text(encoding="utf-8") for file in sorted(options.corpus.glob("*.txt"))]
    ids = [encode(text, add_special_tokens=False).input_ids for text in texts]
    chunks = [document[i:i + LENGTH + 1] for document in ids for i in range(0, len(document) - LENGTH, LENGTH)]
    scored, others = chunks[::17][:8], chunks[5::17][:4]
    model = transformers_model(options.model, torch.float32)
    with torch.inference_mode():
        reference = [log_softmax(model(torch.tensor([s[:-1]]), use_cache=False).logits[0].numpy()) for s in others]
        llama = Llama(model).eval()
        example = torch.tensor([scored[0][:-1]])
        graph = openvino.convert_model(Scores(llama).eval(), example_input=example)
        plain = OpenVino(openvino.convert_model(llama, example_input=example), "bf16", options.threads, 1)
    inputs = np.array([s[:-1] for s in scored], dtype=np.int64)
    theirs = fastest(graph, "bf16", options.threads, inputs)
    ours = {precision: Ours("ONNX", "CPU", precision.upper(), options.threads, f"top-{K}", BATCH_TOKENS, options.model, options.scratch)
            for precision in options.only}
    runs = {"theirs": lambda: theirs.score(inputs)}
    runs.update({precision: lambda engine=engine: engine.score(scored) for precision, engine in ours.items()})
    seconds: dict = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(options.rounds):
        for name, run in runs.items():
            seconds[name].append(run())
    tokens = LENGTH * len(scored)
    kl = divergence(reference, [plain.logits(np.array(s[:-1], dtype=np.int64)) for s in others])
    print(f"{theirs.name}: {tokens / statistics.median(seconds['theirs']):.0f} tokens/s, KL {kl:.6f}")
    for precision, engine in ours.items():
        kl = divergence(reference, [engine.dump(s, model.config.vocab_size)[0] for s in others])
        ratio = statistics.median(their / mine for their, mine in zip(seconds["theirs"], seconds[precision]))
        print(f"potstill {precision}: {tokens / statistics.median(seconds[precision]):.0f} tokens/s, {ratio:.2f} x openvino's, KL {kl:.6f}, "
              f"peak {engine.close()} MiB")


if __name__ == "__main__":
    main()
