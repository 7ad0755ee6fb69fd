#!/usr/bin/env python3
"""The intersection beside SecretFlow's RR22 (PyPI `spu`), in one sitting on this machine.

    cargo build --release -p s3rec-cli
    python3 crates/bench/compare/psi.py --s3rec target/release/s3rec [--users 1000000] [--venv DIR]

Makes a virtual environment with `spu` if DIR (default: a cache directory) has none. Both run two
processes over loopback on the same ids, a tenth of them common, and both learn which; they take
turns, and the median of --repeats runs of each counts. Of spu it is the whole of `psi_execute`,
which reads and writes CSV; ours begins with ids in memory. Bytes are what the loopback carried, TCP and all,
of whoever uses it: run it where nobody else does (`unshare -rn sh -c "ip link set lo up; exec ..."`,
once the environment is made). Memory is the larger party's whole process, Python included for spu.
"""

import argparse
import json
import multiprocessing
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from queue import Empty

SPU = "spu==0.9.5"


def loopback_bytes():
    """Bytes that the loopback interface has received."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, fields = line.strip().partition(":")
        if name == "lo":
            return int(fields.split()[0])
    return 0


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def write_ids(path, first, users):
    with open(path, "w", encoding="ascii") as file:
        file.write("id\n")
        for user in range(first, first + users):
            file.write(f"user-{user:08}@example.org\n")


def party(rank, ports, directory, queue):
    """One party of spu, in a process of its own."""
    import spu.libspu as libspu
    import spu.psi as psi

    desc = libspu.link.Desc()
    desc.recv_timeout_ms = 120_000
    for index, port in enumerate(ports):
        desc.add_party(f"party-{index}", f"127.0.0.1:{port}")
    link = libspu.link.create_brpc(desc, rank)
    config = psi.PsiExecuteConfig(
        protocol_conf=psi.PsiProtocolConfig(
            protocol=psi.PsiProtocol.PROTOCOL_RR22,
            receiver_rank=0,
            broadcast_result=True,
        ),
        input_params=psi.InputParams(
            path=str(directory / f"in-{rank}.csv"), selected_keys=["id"], keys_unique=True
        ),
        output_params=psi.OutputParams(path=str(directory / f"out-{rank}.csv")),
    )
    link.barrier()
    before = time.process_time()
    began = time.monotonic()
    report = psi.psi_execute(config, link)
    seconds = time.monotonic() - began
    queue.put(
        {
            "seconds": seconds,
            "core_seconds": time.process_time() - before,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "common": report.intersection_count,
        }
    )
    link.stop_link()


def run_spu(directory):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    ports = free_ports(2)
    before = loopback_bytes()
    parties = [
        context.Process(target=party, args=(rank, ports, directory, queue)) for rank in range(2)
    ]
    for each in parties:
        each.start()
    records = []
    while len(records) < 2:
        try:
            records.append(queue.get(timeout=1))
        except Empty:
            if any(each.exitcode for each in parties):
                sys.exit("a party of spu failed")
    for each in parties:
        each.join()
    return {
        "seconds": max(record["seconds"] for record in records),
        "core_seconds": sum(record["core_seconds"] for record in records),
        "bytes": loopback_bytes() - before,
        "memory": max(record["memory"] for record in records),
        "common": {record["common"] for record in records},
    }


def run_ours(program, users, overlap):
    command = [program, "--json", "bench", "psi", "--protocol", "vole"]
    command += ["--users", str(users), "--overlap", str(overlap)]
    before = loopback_bytes()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    carried = loopback_bytes() - before
    report = json.loads(output)
    record = report["records"][0]
    return {
        "seconds": record["seconds"],
        "core_seconds": record["core_seconds"],
        "bytes": carried,
        "memory": record["peak_rss_bytes"],
        "common": {report["common"]} if record["exact"] else set(),
    }


def median(records, key):
    return statistics.median(record[key] for record in records)


def in_environment(arguments):
    """Runs this script again with the interpreter that has spu, which it installs if need be."""
    python = arguments.venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", arguments.venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", SPU], check=True)
    environment = dict(os.environ, S3REC_PSI_PEER="1")
    os.execve(python, [str(python), __file__, *sys.argv[1:]], environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--s3rec", default="target/release/s3rec")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--overlap", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--venv", type=Path, default=Path.home() / ".cache" / "s3rec-spu")
    arguments = parser.parse_args()
    if "S3REC_PSI_PEER" not in os.environ:
        in_environment(arguments)
    users, common = arguments.users, round(arguments.users * arguments.overlap)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        write_ids(directory / "in-0.csv", 0, users)
        write_ids(directory / "in-1.csv", users - common, users)
        for _ in range(arguments.repeats):
            ours.append(run_ours(arguments.s3rec, users, arguments.overlap))
            theirs.append(run_spu(directory))
    for record in ours + theirs:
        if record["common"] != {common}:
            sys.exit(f"a run found {record['common']} instead of {common}")
    print(f"{users} x {users} ids, {common} common, median of {arguments.repeats} runs")
    print(f"{'':14}{'s3rec vole':>14}{SPU + ' RR22':>18}{'ratio':>8}")
    for key, unit, scale in [
        ("seconds", "s", 1),
        ("core_seconds", "core-s", 1),
        ("bytes", "MB", 1e6),
        ("memory", "MB", 1e6),
    ]:
        mine, other = median(ours, key) / scale, median(theirs, key) / scale
        print(f"{key:14}{mine:9.2f} {unit:6}{other:9.2f} {unit:6}{mine / other:8.2f}")


if __name__ == "__main__":
    main()
