"""What others have published, for the tables beside ours. Percent, unless a column says otherwise."""

from typing import Any

Published = dict[str, Any]  # source, note, columns, rows

INFINI = "Munkhdalai et al. 2024, Leave No Context Behind (arXiv 2404.07143)"
ARMT = "Rodkin et al. 2024, Associative Recurrent Memory Transformer (arXiv 2407.04841)"
BABILONG = "Kuratov et al. 2024, BABILong (arXiv 2406.10149)"

PASSKEY: Published = {
    "source": f"{INFINI}, Table 3",
    "note": "1B model; token-level accuracy at start/middle/end; fine-tuned on 5K tokens",
    "columns": ["system", "32K", "128K", "256K", "512K", "1M"],
    "rows": [
        ["Linear, zero-shot", "14/13/98", "11/14/100", "6/3/100", "6/7/99", "8/6/98"],
        ["Linear + Delta, zero-shot", "13/11/99", "6/9/99", "7/5/99", "6/8/97", "7/6/97"],
        ["Linear, 400 steps", "100/100/100", "100/100/100", "100/100/100", "97/99/100", "96/94/100"],
        ["Linear + Delta, 400 steps", "100/100/100", "100/100/99", "100/100/99", "100/100/100", "100/100/100"],
    ],
}

NEEDLE: Published = {
    "source": f"{ARMT}, Table 1",
    "note": "the nearest published task: QA1 of BABILong, one fact hidden in books; small models fine-tuned on it",
    "columns": ["system", "64K", "128K", "500K", "1M", "10M"],
    "rows": [
        ["GPT-4, few-shot", 30.0, 24.0, None, None, None],
        ["GPT-4 with RAG, few-shot", 50.0, 56.0, 50.0, 56.0, 16.0],
        ["RMT 137M", 99.6, 99.1, 96.4, 94.2, 76.4],
        ["Mamba 130M", 100.0, 99.5, 92.3, None, None],
        ["ARMT 145M", 100.0, 99.9, 99.3, 98.5, 89.4],
    ],
}

BABI: Published = {
    "source": f"{ARMT}, Table 1; GPT-4 0125 from {BABILONG}, Table 4",
    "note": "facts hidden in books (BABILong); RMT and ARMT fine-tuned on each task",
    "columns": ["system", "length", "qa1", "qa2", "qa3", "qa4", "qa5"],
    "rows": [
        ["GPT-4, few-shot", "128K", 24.0, 8.0, 4.0, 36.0, 48.0],
        ["GPT-4 0125", "128K", 39.0, 25.0, 32.0, 32.0, 51.0],
        ["RMT 137M", "128K", 99.1, 56.3, 42.9, 40.0, 78.1],
        ["RMT 137M", "1M", 94.2, 25.5, 24.8, 27.3, 48.0],
        ["ARMT 145M", "128K", 99.9, 99.8, 86.0, 100.0, 98.7],
        ["ARMT 145M", "1M", 98.5, 99.4, 72.1, 99.8, 97.3],
        ["ARMT 145M", "10M", 89.4, 84.4, 37.0, 91.5, 80.9],
    ],
}

PERPLEXITY: Published = {
    "source": f"{INFINI}, Table 2",
    "note": "of other texts and tokens, so not to be compared with ours: it shows what the paper's memory is worth",
    "columns": ["system", "PG19", "Arxiv-math"],
    "rows": [
        ["Transformer-XL", 11.88, 2.42],
        ["Memorizing Transformer", 11.37, 2.26],
        ["RMT", 13.27, 2.55],
        ["Infini-Transformer, Linear", 9.65, 2.24],
        ["Infini-Transformer, Linear + Delta", 9.67, 2.23],
    ],
}

MEMORY: Published = {
    "source": f"{INFINI}, Table 2",
    "note": "millions of numbers for 12 layers of 8 heads of 128 dimensions, segments of 2,048 tokens",
    "columns": ["system", "numbers", "times less"],
    "rows": [
        ["Memorizing Transformer, 65K", "183M", "1"],
        ["Transformer-XL", "50M", "3.7"],
        ["RMT, 100 vectors", "2.5M", "73"],
        ["Infini-Transformer", "1.6M", "114"],
    ],
}
