"""The teacher pass on a GPU beside PyTorch on the same GPU, with random weights: correct, flat in memory, and how fast.

    python bench/gpu_pass.py pack --natives onnxruntime_gpu-1.28.0-*.whl --compute 90     here, after the build (-Pcuda)
    python bench/gpu_pass.py join RUNTIME                                                 on the machine with the GPU
    python bench/gpu_pass.py run --device cuda --runtime RUNTIME
    python bench/gpu_pass.py run --device cpu --shapes tiny --batches 20                  the same run here, without a pack

pack lays the classes, ONNX Runtime and a small Java into bench/target/gpu-pack, which git ignores: `part-000` and so on, none
larger than --part-mib, to be carried at once or one by one into the same folder; join checks and unpacks them. --compute leaves
of the CUDA code only what is for that compute capability (80 for A100, 89 for L4, 90 for H100 and H200): 53 MiB, not some 220.

The machine with the GPU needs an NVIDIA driver, Python with torch and transformers, and the CUDA libraries that ONNX Runtime
links (cuBLAS, cuRAND, CUDA's runtime), which torch's own packages bring: those of CUDA 12 where the natives are the jar's (63 MiB),
those of CUDA 13 where they are of the wheel (`pip download --no-deps onnxruntime-gpu==1.28.0`). Here it needs what peer.py says,
and jlink.

For each shape, run makes a checkpoint, once, with seeded weights in fp16, and says: how far our logits are from PyTorch's in fp32
on the same weights, and our top 64 from our logits; whether a sequence's targets are the same alone and in a batch; whether
device memory (nvidia-smi) and ours (/proc) stay flat over --batches batches of sequences of many lengths; tokens a second over
512-token sequences, in turn with transformers in bf16 with topk and logsumexp (goal: 1.2 times as fast); and the share of the
card's peak that this is, at 2 operations a parameter and, for attention, 4 a layer, channel and token that is seen, half the
sequence on average. It ends with status 1 where distributions are too far apart or memory grows.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from functools import partial
from pathlib import Path

import torch
from gpu_pack import join, pack
from peer import ROOT, Ours, cpu
from teacher_speed import K, transformers_pass
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

sys.path.append(str(ROOT / "bench/fixtures"))
from tiny_tokenizers import qwen

PACK = ROOT / "bench/target/gpu-pack"
LENGTH = 512
GOAL = 1.2
# hidden, layers, heads, key/value heads, FFN, vocabulary
SHAPES = {"tiny": (64, 2, 4, 2, 128, 1024), "135m": (576, 30, 9, 3, 1536, 49152), "1.7b": (2048, 24, 32, 32, 8192, 49152),
          "mistral": (1024, 8, 16, 4, 3584, 32768), "qwen3": (1024, 28, 16, 8, 3072, 151936)}
SMALL = (256, 4, 4, 2, 512, 4096)
# Otherwise Llama's. A window of less than a sequence; norms of queries and keys, and heads of a size of their own; caps and scales that show.
CHANGES: dict = {"mistral": dict(model_type="mistral", sliding_window=100), "qwen3": dict(model_type="qwen3", head_dim=128)}
GEMMA = dict(head_dim=64, query_pre_attn_scalar=80, sliding_window=100)
FAMILIES: dict = {
    "gemma2": dict(GEMMA, model_type="gemma2", attn_logit_softcapping=5.0, final_logit_softcapping=8.0),
    "gemma3": dict(GEMMA, model_type="gemma3_text", layer_types=["sliding_attention", "full_attention"] * 2),
    "phi3": dict(model_type="phi3", sliding_window=100, pad_token_id=0), "smollm3": dict(model_type="smollm3", pad_token_id=0),
    "olmo2": dict(model_type="olmo2"),
    "granite": dict(model_type="granite", embedding_multiplier=6.0, residual_multiplier=0.22, logits_scaling=4.0, attention_multiplier=0.1),
    "yarn": dict(model_type="qwen3", head_dim=64, rope_parameters=dict(
        rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=512)),
    "qwen3-moe": dict(model_type="qwen3_moe", head_dim=64, num_experts=8, num_experts_per_tok=3, moe_intermediate_size=128),
    "mixtral": dict(model_type="mixtral", num_local_experts=8, num_experts_per_tok=2)}
DRAWS = ["systematic-50-seed-0", "top-8-systematic-50-seed-0"]
# Dense fp16 on tensor cores, TFLOP/s, by what CUDA calls the card; the vendor's figures. The first that fits counts.
PEAKS = {"H100 PCIe": 756, "H100 NVL": 835, "H100": 989, "H200": 989, "B200": 2250, "A100": 312, "A10G": 70, "A10": 125, "L40S": 362,
         "L4": 121, "T4": 65, "V100": 125}


def checkpoint(shape: str, device: str, folder: Path) -> PretrainedConfig:
    """A Hugging Face folder in fp16. Logits spread as a trained model's do, so that first choices are choices."""
    hidden, layers, heads, kv_heads, ffn, vocabulary = SHAPES.get(shape, SMALL)
    changes = {"model_type": "llama"} | (CHANGES | FAMILIES).get(shape, {})
    config = AutoConfig.for_model(
        **changes, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=ffn, vocab_size=vocabulary, max_position_embeddings=2048, tie_word_embeddings=True)
    if not (folder / "tokenizer.json").exists():
        torch.manual_seed(1)
        with torch.device(device):
            model = AutoModelForCausalLM.from_config(config)
            for name, value in model.named_parameters():
                spread = 0.1 if value.dim() == 1 else 3 * hidden ** -0.5 if "embed" in name else value.shape[-1] ** -0.5
                value.data = torch.randn_like(value) * spread + (1 if value.dim() == 1 else 0)
            model.half().save_pretrained(folder)
        qwen().save(str(folder / "tokenizer.json"))
    return config


def load(folder: Path, dtype: torch.dtype, device: str) -> PreTrainedModel:
    # Eager attention is the one that knows Gemma 2's caps.
    attention = {"attn_implementation": "eager"} if folder.name == "gemma2" else {}
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **attention).to(device).eval()


class Engine(Ours):
    """Our engine for a checkpoint; how and what more TeacherBenchmark is told."""

    def __init__(self, options, folder: Path, device: str, precision: str, threads: int, targets: str, **how):
        super().__init__("ONNX", device, precision, threads, targets, options.batch_tokens, folder, options.scratch / "weights",
                         runtime=options.runtime, **how)


def logits_of(model: PreTrainedModel, sequence: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([sequence[:-1]], device=model.device)).logits[0].float().cpu()


def distance(reference: torch.Tensor, logits: torch.Tensor) -> tuple[str, float]:
    """In words, and KL(reference ‖ logits), nats a token."""
    p, q = torch.log_softmax(reference.double(), -1), torch.log_softmax(logits.double(), -1)
    kl = (p.exp() * (p - q)).sum(-1).mean().item()
    relative = ((logits - reference).abs().amax(-1) / reference.abs().amax(-1)).max().item()
    agreement = (logits.argmax(-1) == reference.argmax(-1)).double().mean().item()
    return f"largest difference {relative:.2e} of the largest logit, same first choice {agreement:.2%}, KL {kl:.2e} nats", kl


def parity(ours: Ours, reference: torch.Tensor, sequence: list[int], options) -> bool:
    dumped, targets = ours.dump(sequence, reference.shape[1])
    logits = torch.from_numpy(dumped)
    words, kl = distance(reference, logits)
    ids, probabilities = torch.tensor([list(each) for each in targets]), torch.tensor([list(each.values()) for each in targets])
    off = (probabilities.log() - torch.log_softmax(logits, -1).gather(1, ids)).abs().max().item()
    print(f"  potstill {options.precision}: {words}")
    print(f"  potstill's top {ids.shape[1]}: log-probabilities at most {off:.2e} from those of its own logits")
    return kl <= options.max_kl and off <= 0.01


def drawn(start, options, vocabulary: int) -> bool:
    """The same points fall on the same tokens on both devices, but for those at the border of two, as sums are rounded differently."""
    sequence, alike = random_sequences(vocabulary, [LENGTH])[0], True
    for spec in DRAWS:
        sides = []
        for device in (options.device, "cpu"):
            ours = start(device.upper(), "FP32", options.threads, spec)
            sides.append(ours.dump(sequence, vocabulary)[1])
            ours.close()
        drawn, other, both = (sum(len(mine.keys() & theirs.keys()) for mine, theirs in zip(left, right))
                              for left, right in ((sides[0], sides[0]), (sides[1], sides[1]), sides))
        off = max(abs(mine[i] - theirs[i]) for mine, theirs in zip(*sides) if mine.keys() == theirs.keys() for i in mine)
        print(f"  {spec} in fp32, {drawn} tokens on {options.device} and {other} on the CPU: {both} the same, their probabilities at most "
              f"{off:.1e} apart where a position has only such")
        alike &= both >= 0.97 * max(drawn, other) and off <= 1e-4
    return alike


def company(ours: Ours, options, vocabulary: int) -> None:
    """What a sequence's targets owe to the others of its batch: a GPU's library chooses kernels by the size of a product."""
    lengths = [random.Random(3).randrange(16, LENGTH) for _ in range(max(2, options.batch_tokens // LENGTH))]
    print(f"  {ours.company(random_sequences(vocabulary, lengths))}")


def device_mib() -> int:
    said = subprocess.run(["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
                          check=True, capture_output=True, text=True).stdout
    return int(said.split()[0])


def resident_mib(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def flat(ours: Ours, options, vocabulary: int) -> bool:
    """The second half of the batches needs no more than the first, but for 2 %, or 32 MiB where that is more."""
    lengths = [length for length in (64, 128, 192, 256, 320, 384, 448, 512)
               for _ in range(max(1, options.batch_tokens // length))]  # a batch of each length
    sequences = random_sequences(vocabulary, lengths)
    readings = {"host": lambda: resident_mib(ours.process.pid)} | ({"device": device_mib} if options.device == "cuda" else {})
    ours.score(sequences)
    series: dict = {name: [] for name in readings}
    passes = max(2, -(-options.batches // 8))
    for _ in range(passes):
        ours.score(sequences)
        for name, read in readings.items():
            series[name].append(read())
    steady = True
    for name, mib in series.items():
        first, second = max(mib[:passes // 2]), max(mib[passes // 2:])
        grows = second > first + max(32, 0.02 * first)
        steady &= not grows
        print(f"  {name} memory over {8 * passes} batches: {mib[0]} MiB, highest {first} in the first half and {second} in the "
              f"second{': IT GROWS' if grows else ', flat'}")
    return steady


def random_sequences(vocabulary: int, positions: list[int]) -> list[list[int]]:
    draw = random.Random(2)
    return [[draw.randrange(vocabulary) for _ in range(n + 1)] for n in positions]


def speed(ours: Ours, peer: PreTrainedModel, options, config: PretrainedConfig) -> None:
    rows = max(1, options.batch_tokens // LENGTH)
    sequences = random_sequences(config.vocab_size, [LENGTH] * rows * options.speed_batches)
    seconds: dict = {"potstill": [], "transformers": []}
    for _ in range(options.rounds + 1):
        seconds["potstill"].append(ours.score(sequences))
        seconds["transformers"].append(transformers_pass(peer, sequences, rows))
    tokens = len(sequences) * LENGTH
    rates = {name: tokens / statistics.median(each[1:]) for name, each in seconds.items()}  # the first is for warming up
    ratio = statistics.median(theirs / mine for theirs, mine in list(zip(seconds["transformers"], seconds["potstill"]))[1:])
    print(f"  potstill {options.precision} {rates['potstill']:.0f} tokens/s, transformers bf16 {rates['transformers']:.0f}: "
          f"{ratio:.2f} x as fast (goal {GOAL})")
    attention = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * (LENGTH + 1)
    operations = 2 * sum(p.numel() for p in peer.parameters()) + attention
    if options.peak_tflops:
        shares = [f"{name} {rate * operations / options.peak_tflops / 1e12:.1%}" for name, rate in rates.items()]
        print(f"  at {operations / 1e6:.3g} MFLOP a token, of a peak of {options.peak_tflops:g} TFLOP/s: {', '.join(shares)}")


def profile(start, options, vocabulary: int) -> None:
    """Where a pass spends its time, by operator, each waited for: a session of its own, which is slower than without waiting."""
    with tempfile.TemporaryDirectory() as folder:
        ours = start(jvm=("-Xmx1g", f"-Dpotstill.onnx-profile={folder}/pass"), env={**os.environ, "CUDA_LAUNCH_BLOCKING": "1"})
        sequences = random_sequences(vocabulary, [LENGTH] * max(1, options.batch_tokens // LENGTH))
        for _ in range(4):
            seconds = ours.score(sequences)
        ours.close()
        events = [e for file in Path(folder).iterdir() for e in json.loads(file.read_text()) if e["name"].endswith("kernel_time")]
    spent: dict = defaultdict(lambda: [0.0, 0])
    for event in events[-len(events) // 4:]:  # of the last pass
        of = spent[event["args"]["op_name"], event["args"]["provider"].removesuffix("ExecutionProvider")]
        of[0] += event["dur"] / 1000
        of[1] += 1
    print(f"  the last of 4 passes, {seconds * 1000:.1f} ms, by operator:")
    for (name, provider), (ms, count) in sorted(spent.items(), key=lambda each: -each[1][0])[:14]:
        print(f"    {name} on {provider}: {ms:.2f} ms in {count}")


def cuda_libraries(options) -> None:
    """Lets ONNX Runtime find the libraries that torch brought."""
    if options.device == "cuda":
        if not torch.cuda.is_available():
            raise SystemExit("--device cuda: PyTorch sees no NVIDIA GPU here; see nvidia-smi, or try --device cpu")
        libraries = [str(folder) for folder in Path(torch.__file__).parents[1].glob("nvidia/*/lib")]
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, os.environ.get("LD_LIBRARY_PATH", "")]).rstrip(os.pathsep)


def run(options) -> bool:
    card = cpu()
    cuda_libraries(options)
    if options.device == "cuda":
        card = torch.cuda.get_device_name(0)
        options.peak_tflops = options.peak_tflops or next((peak for name, peak in PEAKS.items() if name in card), None)
        if not options.peak_tflops:
            print(f"no peak known for {card}: give --peak-tflops to have its share")
    torch.set_num_threads(options.threads)
    disable_progress_bar()
    print(f"{card}, torch {torch.__version__}, {options.precision}, {options.batch_tokens} tokens a batch")
    well = True
    for shape in [*options.shapes, *options.families]:
        folder = options.scratch / shape
        config = checkpoint(shape, options.device, folder)
        sequence = random_sequences(config.vocab_size, [LENGTH])[0]
        reference = logits_of(load(folder, torch.float32, options.device), sequence)
        peer = load(folder, torch.bfloat16, options.device)
        print(f"\n{shape}: {sum(p.numel() for p in peer.parameters())} parameters")
        print(f"  transformers bf16: {distance(reference, logits_of(peer, sequence))[0]}")
        if options.device == "cuda":
            torch.cuda.empty_cache()
        # The heap is touched at once, so that what grows later is no heap; and young garbage is collected often: buffers outside
        # the heap go with it.
        engine = partial(Engine, options, folder)
        start = partial(engine, options.device.upper(), options.precision.upper(), options.threads)
        ours = start(f"top-{K}", jvm=("-Xms1g", "-Xmx1g", "-Xmn64m", "-XX:+AlwaysPreTouch"))
        well &= parity(ours, reference, sequence, options)
        company(ours, options, config.vocab_size)
        if shape in SHAPES:
            well &= flat(ours, options, config.vocab_size)
            speed(ours, peer, options, config)
        print(f"  potstill's peak on the host: {ours.close()} MiB", flush=True)
        if options.draws:
            well &= drawn(engine, options, config.vocab_size)
            if shape in SHAPES:
                ours = start(DRAWS[0])
                print(f"  with {DRAWS[0]}:")
                speed(ours, peer, options, config)
                ours.close()
        if options.profile:
            profile(partial(start, f"top-{K}"), options, config.vocab_size)
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    packing = verbs.add_parser("pack")
    packing.add_argument("--natives", type=Path, help="a jar or wheel with ONNX Runtime's libraries; else the class path's jar")
    packing.add_argument("--compute", type=int, help="90 for compute capability 9.0; else all that there is")
    packing.add_argument("--part-mib", type=int, default=60)
    packing.add_argument("--parts", type=Path, default=PACK)
    joining = verbs.add_parser("join")
    joining.add_argument("runtime", type=Path)
    joining.add_argument("--parts", type=Path, default=PACK)
    running = verbs.add_parser("run")
    running.add_argument("--device", choices=["cuda", "cpu"], required=True)
    running.add_argument("--precision", choices=["fp32", "fp16", "int8"], help="fp16 on a GPU and fp32 on a CPU unless given")
    running.add_argument("--shapes", nargs="+", choices=SHAPES, default=["tiny", "135m", "1.7b"])
    running.add_argument("--families", nargs="*", choices=FAMILIES, default=[])
    running.add_argument("--draws", action="store_true")
    running.add_argument("--runtime", type=Path, help="what join unpacked; else this reactor's classes")
    running.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "potstill-gpu-pass")
    running.add_argument("--batch-tokens", type=int, default=8192)
    running.add_argument("--batches", type=int, default=200)
    running.add_argument("--speed-batches", type=int, default=16)
    running.add_argument("--rounds", type=int, default=5)
    running.add_argument("--threads", type=int, default=2)
    running.add_argument("--peak-tflops", type=float)
    running.add_argument("--profile", action="store_true", help="also by operator, in a session of its own")
    running.add_argument("--max-kl", type=float, default=0.01)
    options = parser.parse_args()
    if options.verb == "pack":
        pack(options.parts, options.natives, options.compute, options.part_mib)
    elif options.verb == "join":
        join(options.parts, options.runtime)
    else:
        options.precision = options.precision or ("fp16" if options.device == "cuda" else "fp32")
        sys.exit(0 if run(options) else 1)


if __name__ == "__main__":
    main()
