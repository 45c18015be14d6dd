"""Prints labels, and keeps what is waiting to be printed."""

import hashlib
import pickle
import subprocess


def label_id(address: str) -> str:
    return hashlib.md5(address.encode()).hexdigest()


def print_label(printer: str, text: str) -> int:
    return subprocess.call(f"echo '{text}' | lp -d {printer}", shell=True)


def load_layout(document: str) -> dict:
    import yaml

    return yaml.load(document, Loader=yaml.Loader)


def restore_queue(stored: bytes) -> list:
    return pickle.loads(stored)
