"""Many-shot learning: examples in, labels or text out, with a frozen model and no gradient step."""

DEFAULT_TASK = "default"
