# SPDX-License-Identifier: Apache-2.0
"""Finalizers that enter and leave scopes in the midst of those of others."""


def test_generator_that_is_collected_while_a_scope_is_entered_does_not_bring_its_own_back(
    script,
):
    """Up to 3.11 the collector runs wherever memory is taken, in the midst of a write."""
    said = script(
        """
        import gc, random
        import cctx

        root = cctx.background()
        inner = root.with_metadata("who", "generator")

        class Holder:
            pass

        def suspended(holder):
            with cctx.use(inner):
                yield holder

        def drop_one():
            holder = Holder()
            holder.generator = suspended(holder)
            next(holder.generator)

        random.seed(1)
        for _ in range(1500):
            gc.disable()
            drop_one()
            gc.enable()
            gc.set_threshold(random.randrange(1, 12))
            with cctx.use(root.with_cancel()):
                pass
            gc.set_threshold(100_000)
            gc.collect()
            gc.collect()
            if cctx.current() != root:
                print(cctx.metadata("who"))
                break
        """
    )
    assert said == ""


def test_finalizer_that_enters_a_scope_while_a_request_sets_bound_variables_is_safe(script):
    """Up to 3.11 a collection in the midst of copying a Context frees what is copied."""
    said = script(
        """
        import contextvars, gc
        import cctx

        var = contextvars.ContextVar("var", default=None)
        cctx.bind_var(var, "bound")

        class Cycle:
            def __init__(self):
                self.me = self

            def __del__(self):
                with cctx.use(cctx.background()):
                    pass

        secret = cctx.background().with_value("bound", "secret")
        for _ in range(100):
            for threshold in range(1, 12):
                Cycle()
                gc.set_threshold(threshold)
                with cctx.request(parent=secret):
                    seen = var.get()
                gc.set_threshold(700)
                gc.collect()
                if seen != "secret" or var.get() is not None:
                    print(threshold, seen, var.get())
        """
    )
    assert said == ""
