"""A student's local steps as one ONNX graph: beside PyTorch on the same GPU or, on a CPU, beside our fused decoder.

    python bench/gpu_pass.py pack ... ; python bench/gpu_pass.py join RUNTIME      as gpu_pass.py says
    python bench/gpu_train.py --device cuda --runtime RUNTIME
    python bench/gpu_train.py --device cpu --shapes small --steps 4 --rounds 2     needs numpy only, without a pack

The same first weights and batches on both sides: sparse distillation (k = 32) and cross-entropy, clipping and AdamW. A run of the graph
takes --steps steps and copies the state to the device and back, as a round of local SGD does. The peer on a GPU is transformers' Llama
under bf16 autocast with PyTorch's fused AdamW; the graph's linear layers are in bf16, and also in fp32. The peer on a CPU is the fused
decoder in fp32. For each shape this says how far the losses are apart, tokens/s in turn with the peer, the ratio and, on a GPU, the share
of the card's dense bf16 peak: 6 operations per parameter and token, and 6 per layer, channel of the heads and token that is seen, half the
sequence on average. It ends with status 1 where losses are too far apart.
"""

import argparse
import json
import statistics
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from peer import cpu, java

K = 32
ALPHA = 0.5
# hidden, layers, heads, key/value heads, FFN, vocabulary; sequences and positions of a batch
SHAPES = {"tiny": ((64, 2, 4, 2, 128, 1024), 8, 64), "small": ((256, 4, 4, 4, 704, 8192), 16, 128),
          "80m": ((576, 15, 9, 3, 1536, 49152), 8, 256), "80m-large-batch": ((576, 15, 9, 3, 1536, 49152), 32, 512),
          "400m": ((1024, 24, 16, 8, 4096, 49152), 16, 512)}
LAYER = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
         "input_layernorm", "post_attention_layernorm"]


def configuration(shape: tuple) -> dict:
    hidden, layers, heads, kv_heads, ffn, vocabulary = shape
    return dict(model_type="llama", architectures=["LlamaForCausalLM"], hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                num_key_value_heads=kv_heads, intermediate_size=ffn, vocab_size=vocabulary, head_dim=hidden // heads,
                max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu", tie_word_embeddings=True)


def names(layers: int) -> list[str]:
    """Tensors in the order of the flat vector."""
    inner = [f"model.layers.{i}.{part}.weight" for i in range(layers) for part in LAYER]
    return ["model.embed_tokens.weight", *inner, "model.norm.weight"]


def safetensors(file: Path) -> dict[str, np.ndarray]:
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    body = memoryview(content)[8 + length:]
    return {name: np.frombuffer(body[slice(*entry["data_offsets"])], "<f4") for name, entry in header.items() if name != "__metadata__"}


def batches(rng: np.random.Generator, vocabulary: int, rows: int, length: int, steps: int, file: Path) -> list[tuple]:
    """Random tokens, k distinct ids of the teacher's for each position; also written as our benchmarks read them."""
    arrays, text = [], []
    for _ in range(steps):
        tokens = rng.integers(0, vocabulary, (rows, length + 1))
        ids = np.sort(rng.integers(0, vocabulary - K, (rows, length, K)), -1) + np.arange(K)
        probabilities = rng.dirichlet(np.full(K, 0.5), (rows, length)).astype(np.float32) + np.float32(1e-6)
        probabilities /= probabilities.sum(-1, keepdims=True)
        lines = []
        for s in range(rows):
            words = [length + 1, K, *tokens[s]]
            for t in range(length):
                words += [*ids[s, t], *probabilities[s, t]]
            lines.append(" ".join(map(str, words)))
        text.append("\n".join(lines))
        arrays.append((tokens, ids, probabilities))
    file.write_text("\n\n".join(text) + "\n")
    return arrays


class Graph:
    """The graph in a process of its own."""

    def __init__(self, options, folder: Path, precision: str):
        gpu = 0 if options.device == "cuda" else -1
        self.process = java("org.potstill.student.onnx.TrainingSessionBenchmark", options.threads, gpu, precision, options.chunk, ALPHA, folder,
                            jvm=("-Xmx4g",), runtime=options.runtime, module="student-model")
        self.said()

    def said(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the graph did not train; its message is above")
        return line

    def steps(self, file: Path, _) -> tuple[float, list[float]]:
        """Seconds of all steps, and each one's loss."""
        print(file, file=self.process.stdin, flush=True)
        seconds, *losses = map(float, self.said().split())
        return seconds, losses

    def close(self) -> int:
        """Peak memory on the host in MiB."""
        self.process.stdin.close()
        return int(self.said()) // 1024


class Fused:
    """The fused decoder on a CPU, which makes the first weights."""

    def __init__(self, options, folder: Path):
        self.process = java("org.potstill.student.TrainingBenchmark", options.threads, ALPHA, "FP32", folder, module="student-model")
        self.process.stdout.readline()
        self.folder = folder

    def weights(self) -> dict[str, np.ndarray]:
        return safetensors(self.folder / "model.safetensors")

    def steps(self, file: Path, _) -> tuple[float, list[float]]:
        answers = []
        for batch in file.read_text().split("\n\n"):
            one = self.folder / "batch"
            one.write_text(batch.strip() + "\n")
            print(one, file=self.process.stdin, flush=True)
            answers.append([float(word) for word in self.process.stdout.readline().split()])
        return sum(seconds for seconds, _ in answers), [loss for _, loss in answers]


class Transformers:
    """PyTorch on the GPU, under bf16 autocast; its random weights are the first ones."""

    def __init__(self, folder: Path):
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM
        self.torch = torch
        torch.manual_seed(1)
        with torch.device("cuda"):
            self.model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
        decayed = [p for p in self.model.parameters() if p.dim() > 1]
        norms = [p for p in self.model.parameters() if p.dim() == 1]
        self.optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}],
                                           lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: value.detach().cpu().numpy().ravel() for name, value in self.model.named_parameters()}

    def steps(self, _, arrays: list[tuple]) -> tuple[float, list[float]]:
        torch, losses = self.torch, []
        begin = time.perf_counter()
        for batch in arrays:
            tokens, ids, probabilities = (torch.from_numpy(each).to("cuda", non_blocking=True) for each in batch)
            with torch.autocast("cuda", torch.bfloat16):
                logits = self.model(tokens[:, :-1], use_cache=False).logits
            log_probabilities = torch.log_softmax(logits.float(), -1)
            kl = (probabilities * (probabilities.log() - log_probabilities.gather(-1, ids))).sum(-1).mean()
            cross_entropy = torch.nn.functional.nll_loss(log_probabilities.flatten(0, 1), tokens[:, 1:].flatten())
            loss = ALPHA * kl + (1 - ALPHA) * cross_entropy
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            losses.append(loss.detach())
        losses = [loss.item() for loss in losses]
        return time.perf_counter() - begin, losses


def operations(shape: tuple, parameters: int, length: int) -> float:
    """Of a token's step."""
    hidden, layers = shape[:2]
    return 6 * parameters + 6 * layers * hidden * length


def compare(name: str, options) -> bool:
    shape, rows, length = SHAPES[name]
    cuda = options.device == "cuda"
    with tempfile.TemporaryDirectory(dir=options.scratch) as temporary:
        folder = Path(temporary)
        (folder / "config.json").write_text(json.dumps(configuration(shape)))
        peer = Transformers(folder) if cuda else Fused(options, folder)
        weights = peer.weights()
        with (folder / "weights.bin").open("wb") as file:
            for tensor in names(shape[1]):
                file.write(weights[tensor].astype("<f4").tobytes())
        parameters = sum(weights[tensor].size for tensor in names(shape[1]))
        rng = np.random.default_rng(0)
        tokens = rows * length * options.steps
        print(f"\n{name}: {parameters:,} parameters, batches of {rows} x {length}, {options.steps} steps per run", flush=True)
        well = True
        for precision in ("BF16", "FP32") if cuda else ("FP32",):
            graph = Graph(options, folder, precision)
            if precision == "FP32" and cuda:
                peer = Transformers(folder)
            seconds: dict = {"graph": [], "peer": []}
            apart = 0.0
            for turn in range(1 + options.rounds):
                file = folder / "batches"
                arrays = batches(rng, shape[5], rows, length, options.steps, file)
                taken = {"graph": graph.steps(file, arrays), "peer": peer.steps(file, arrays)}
                apart = max(apart, *(abs(a / b - 1) for a, b in zip(taken["graph"][1], taken["peer"][1])))
                for side, (spent, _) in taken.items():
                    seconds[side] += [spent] if turn else []
            rate = {side: tokens / statistics.median(spent) for side, spent in seconds.items()}
            ratio = statistics.median(b / a for a, b in zip(seconds["graph"], seconds["peer"]))
            print(f"  graph {precision}: {rate['graph']:.0f} tokens/s; {'transformers bf16' if cuda else 'fused decoder FP32'}: {rate['peer']:.0f}; "
                  f"{ratio:.2f} x as fast; losses at most {apart:.1e} apart; peak on the host {graph.close()} MiB", flush=True)
            if options.peak_tflops:
                share = {side: r * operations(shape, parameters, length) / options.peak_tflops / 1e12 for side, r in rate.items()}
                print(f"  of the card's dense bf16 peak: graph {share['graph']:.1%}, peer {share['peer']:.1%}", flush=True)
            well &= apart <= (0.02 if cuda else 1e-4)
        return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["80m"])
    parser.add_argument("--runtime", type=Path, help="what gpu_pass.py join unpacked; else this reactor's classes")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--chunk", type=int, default=512, help="rows whose logits are held at once")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peak-tflops", type=float, help="dense bf16 peak of the card, where gpu_pass.py does not know it")
    options = parser.parse_args()
    card = cpu()
    if options.device == "cuda":
        import torch
        from gpu_pass import PEAKS, cuda_libraries
        cuda_libraries(options)
        card = torch.cuda.get_device_name(0)
        options.peak_tflops = options.peak_tflops or next((peak for name, peak in PEAKS.items() if name in card), None)
    print(card)
    sys.exit(0 if all([compare(name, options) for name in options.shapes]) else 1)


if __name__ == "__main__":
    main()
