from tests.training.synthesis.teachers import make_shop

__all__ = ["make_shop"]
