"""What gpu_pass.py, gpu_write.py and gpu_train.py need of us where there are Python and a GPU but no Java or network: an archive in parts."""

import hashlib
import io
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from peer import BUILD, classpath

# All that the ONNX engine and the training graph load of each jar: seen with -Xlog:class+load.
CLASSES = {"onnxruntime_gpu": "ai/onnxruntime/", "nd4j-api": ("onnx/", "org/nd4j/linalg/schedule/ISchedule"),
           "protobuf": "org/nd4j/shade/", "gson": "com/google/gson/", "javacpp": "org/bytedeco/javacpp/"}
# JavaCPP finds its own native by these.
JAVACPP = ("org/bytedeco/javacpp/properties/linux-x86_64", "org/bytedeco/javacpp/linux-x86_64/")
NATIVES = re.compile(r".*/(libonnxruntime(?:4j_jni|_providers_shared|_providers_cuda)?\.so)[.\d]*")
SUMS = "SHA256SUMS"
CONTAINER = 0xBA55ED50
HEADER = 16
MACHINE_CODE = 2


def version(file: Path) -> str:
    return re.search(r"-(\d+\.\d+\.\d+)", file.name)[1]


def keep_only(library: Path, compute: int) -> None:
    """Takes out the machine code for other compute capabilities (90 is 9.0), and PTX: the file keeps its length and packs small.

    Fat binaries lie one after the other: a header (u32 magic, u16 version, u16 header bytes, u64 bytes that follow), then
    entries (u16 kind, u16, u32 header bytes, u64 payload bytes, ..., at byte 28 u32 compute capability). Each is found by a
    pointer: what stays moves to its front, and zeros fill the rest. One with nothing for the card stays whole.
    """
    data = bytearray(library.read_bytes())
    magic, shrunk = struct.pack("<I", CONTAINER), 0
    at = data.find(magic)
    while at >= 0:
        header, follow = struct.unpack_from("<HQ", data, at + 6)
        begin, end = at + header, at + header + follow
        if header != HEADER or end > len(data):  # the number by chance
            at = data.find(magic, at + 4)
            continue
        kept, entry = bytearray(), begin
        while entry < end:
            kind, _, head, payload = struct.unpack_from("<HHIQ", data, entry)
            if kind == MACHINE_CODE and struct.unpack_from("<I", data, entry + 28) == (compute,):
                kept += data[entry:entry + head + payload]
            entry += head + payload
        if kept:
            struct.pack_into("<Q", data, at + 8, len(kept))
            data[begin:end] = kept.ljust(follow, b"\0")
            shrunk += 1
        at = data.find(magic, end)
    if not shrunk:
        raise SystemExit(f"{library.name} has no code for compute capability {compute / 10}")
    library.write_bytes(data)


def stage(folder: Path, natives: Path | None, compute: int | None) -> None:
    jars = [Path(entry) for module in ("teacher-inference", "student-model") for entry in classpath(module).split(":")]
    found = {name: next((j for j in jars if j.name.startswith(name + "-") and j.suffix == ".jar"), None) for name in CLASSES}
    gpu = found["onnxruntime_gpu"]
    if not gpu:
        raise SystemExit(f"build with ONNX Runtime's CUDA build first:\n  {BUILD} -Pcuda")
    if natives and version(natives) != version(gpu):
        raise SystemExit(f"{natives.name} is not of version {version(gpu)}, as {gpu.name} is")
    for entry in jars:
        if entry.is_dir():
            shutil.copytree(entry, folder / "classes", dirs_exist_ok=True)
    for name, jar in found.items():
        with zipfile.ZipFile(jar) as content:
            wanted = [n for n in content.namelist() if n.startswith(CLASSES[name]) and n.endswith(".class")]
            content.extractall(folder / "classes", wanted)
    for jar in [j for j in jars if re.match(r"javacpp-.*-linux-x86_64", j.name)]:
        with zipfile.ZipFile(jar) as content:
            content.extractall(folder / "classes", [n for n in content.namelist() if n.startswith(JAVACPP)])
    (folder / "natives").mkdir()
    for archive in [gpu, natives or gpu]:
        with zipfile.ZipFile(archive) as content:
            for entry in content.namelist():
                native = NATIVES.fullmatch(entry)
                # Of a wheel all but the Java binding, which it does not have.
                if native and "win-x64" not in entry and (archive != gpu or not natives or "4j_jni" in entry):
                    (folder / "natives" / native[1]).write_bytes(content.read(entry))
    if compute:
        keep_only(folder / "natives/libonnxruntime_providers_cuda.so", compute)
    subprocess.run(["jlink", "--strip-debug", "--no-header-files", "--no-man-pages", "--add-modules",
                    "java.base,java.logging,jdk.unsupported", "--output", str(folder / "jre")], check=True)


def pack(out: Path, natives: Path | None, compute: int | None, part_mib: int) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        stage(Path(temporary), natives, compute)
        with tarfile.open(fileobj=packed, mode="w:xz") as archive:
            for entry in sorted(Path(temporary).iterdir()):
                archive.add(entry, entry.name)
                print(f"{entry.name}: {packed.tell() / 2**20:.1f} MiB packed so far")
    content, size, sums = packed.getvalue(), part_mib << 20, []
    for number, begin in enumerate(range(0, len(content), size)):
        part = content[begin:begin + size]
        (out / f"part-{number:03}").write_bytes(part)
        sums.append(f"{hashlib.sha256(part).hexdigest()}  part-{number:03}\n")
    (out / SUMS).write_text("".join(sums))
    print(f"{len(content) / 2**20:.1f} MiB in {len(sums)} part(s) in {out}")


def join(parts: Path, into: Path) -> None:
    """Checks each part and unpacks them all."""
    content = bytearray()
    for line in (parts / SUMS).read_text().splitlines():
        digest, name = line.split()
        if not (parts / name).exists():
            raise SystemExit(f"{name} is not in {parts} yet")
        part = (parts / name).read_bytes()
        if hashlib.sha256(part).hexdigest() != digest:
            raise SystemExit(f"{name} is damaged: its SHA-256 is not what {SUMS} says")
        content += part
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:xz") as archive:
        archive.extractall(into, filter="data")
