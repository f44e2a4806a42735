"""What the executor does in Python: executed once, in a module that no code sees.

The names call_number, runs_elsewhere, set_cancel, generation, changed, wait, write_output and
flush_output are functions in C (python_stop.c, python_output.c)."""
import _signal as signal  # all of it that is needed
import datetime
import importlib.util
import io
import itertools
import os
import sys
import threading  # here, so that it takes this thread for Python's main thread
import types

from importlib.machinery import ModuleSpec, SourceFileLoader

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # importing the module has taken it

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DETAIL_BYTES = 16000
FRAMES = 64  # of a traceback, the innermost ones


class Stopped(BaseException):
    """Thrown into the code of a call that is to end: no Exception, so that few catch it."""

    def __str__(self):
        return "the call was stopped"


class NotFoundError(Exception):
    pass


class Error(Exception):
    """An error of another language, as a value."""

    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


# ---- functions ----

FILES_MAX = 1024
files = {}  # real path -> module, or the number of the call that executes it
numbers = itertools.count(1)
OWN_PLACES = [path for path in sys.path if not path.endswith("-packages")]
STANDARD = getattr(sys, "stdlib_module_names", ())  # of 3.10
paths = {}  # path as it was given, absolute -> module; so much for speed
texts = types.ModuleType("__vow__")  # where the functions of source texts say they are
sys.modules[texts.__name__] = texts


class FileLoader(SourceFileLoader):
    def get_code(self, fullname):
        """Without __pycache__, whose times are too coarse for a file that is just being written."""
        path = self.get_filename(fullname)
        try:
            return self.source_to_code(self.get_data(path), path)
        except ValueError as error:  # of null bytes; until 3.12 it does not say where
            raise SyntaxError("%s (%s)" % (error, os.path.basename(path))) from None


def show_folder(path):
    """Behind the standard library: what is in the folder hides none of that from other calls."""
    if path in sys.path:
        return
    own = [at for at, place in enumerate(sys.path) if place in OWN_PLACES]
    sys.path.insert(own[-1] + 1 if own else 0, path)


def imported_as(name, path):
    """The module, if code that this executor called has imported the file already."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None or not spec.has_location or os.path.realpath(spec.origin) != path:
        return None
    return importlib.import_module(name)  # when another thread is at it, after that


def execute_file(path):
    """The module has the name by which others in its folder import it, if that is free."""
    name = os.path.splitext(os.path.basename(path))[0]
    module = imported_as(name, path)
    if module is not None:
        return module
    if name in sys.modules or name in STANDARD or not name.isidentifier():
        name = "_vow_%d_%s" % (next(numbers), name)
    spec = ModuleSpec(name, FileLoader(name, path), origin=path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    show_folder(os.path.dirname(path))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def load_file(path):
    """Once for each file: who comes while it is executed waits, and tries itself if that fails.
    An interruption may come between any two lines, so an entry may outlive its call."""
    real = os.path.realpath(path)
    if not os.path.isfile(real):
        raise NotFoundError("there is no file %s" % path)
    number = call_number()
    while True:
        seen = generation()
        entry = files.setdefault(real, number)
        if isinstance(entry, types.ModuleType):
            return entry
        if entry == number:
            break
        if runs_elsewhere(entry):
            wait(seen)
        elif files.get(real) == entry:
            files.pop(real, None)
    try:
        module = files[real] = execute_file(real)
        return module
    except BaseException:
        files.pop(real, None)
        raise
    finally:
        changed()


def current_folder():
    """None: it has been removed, or may not be seen."""
    try:
        return os.getcwd()
    except OSError:
        return None


def file_module(path):
    if not os.path.isabs(path):
        folder = current_folder()
        if folder is None:
            raise NotFoundError("there is no file %s: the current folder has no path" % path)
        path = os.path.normpath(os.path.join(folder, path))
    module = paths.get(path)
    if module is None:
        module = load_file(path)
        if len(paths) < FILES_MAX:
            paths[path] = module
    return module


def import_here(name):
    """The module, or None if it is that one which is not there."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name + ".").startswith(error.name + "."):
            return None
        raise


def named_module(name):
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__spec__", None) is None:
        return module
    if not all(name.split(".")):
        raise NotFoundError("%r is no name of a module" % name)
    module = import_here(name)
    folder = current_folder()
    if module is None and folder and folder not in sys.path:
        sys.path.append(folder)  # last: it hides nothing that is installed
        module = import_here(name)
    if module is None:
        raise NotFoundError("there is no module %s" % name)
    return module


def text_module(source):
    module = types.ModuleType(texts.__name__)
    exec(compile(source, "<source>", "exec", dont_inherit=True), module.__dict__)
    return module


def find(file, module, source, name):
    if file is not None:
        owner, where = file_module(file), file
    elif module is not None:
        owner, where = named_module(module), "module " + module
    else:
        owner, where = text_module(source), "the source text"
    try:
        for part in name.split("."):
            owner = getattr(owner, part)
    except AttributeError:
        raise NotFoundError("%s has no function %s" % (where, name)) from None
    if not callable(owner):
        raise NotFoundError("%s of %s is no function" % (name, where))
    return owner


# ---- expressions ----

TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def check(source):
    return compile(source.strip(), "<source>", "eval", TOP_LEVEL_AWAIT, dont_inherit=True)


def evaluate(source, context):
    return eval(check(source), {"__name__": texts.__name__, "context": context})


# ---- coroutines ----


async def awaited(awaitable):
    return await awaitable


def cancel_now(loop, task):
    import asyncio

    for live in asyncio.all_tasks(loop) if task.done() else [task]:
        live.cancel()


def end_tasks(loop):
    """As asyncio.run() does it."""
    import asyncio

    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler({"message": "a task failed when its call had ended",
                                         "exception": task.exception(), "task": task})
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())


def complete(awaitable):
    import _thread
    import asyncio

    loop = asyncio.new_event_loop()
    waking = _thread.allocate_lock()

    def cancel():
        # Without it the loop's socket may be closed, and its number another file's, before
        # the byte that wakes the loop is sent.
        if not waking.acquire(False):
            return  # it is being closed, which may take its time
        try:
            if not loop.is_closed():
                loop.call_soon_threadsafe(cancel_now, loop, task)
        finally:
            waking.release()

    try:
        task = loop.create_task(awaited(awaitable))
        set_cancel(cancel)
        try:
            return loop.run_until_complete(task)
        finally:
            end_tasks(loop)
    finally:
        set_cancel(None)
        with waking:
            loop.close()


# ---- errors ----


def is_ours(frame):
    return (frame.f_globals is globals()
            or frame.f_code.co_filename.startswith("<frozen importlib"))


def own_traceback(traceback):
    """From the first frame of the caller's code on."""
    start = at = traceback
    while at is not None:
        if is_ours(at.tb_frame):
            start = at.tb_next
        at = at.tb_next
    return start


def encode(text):
    return text.encode("utf-8", "backslashreplace")


def traceback_text(error):
    if isinstance(error, NotFoundError):
        return None
    import traceback

    lines = traceback.format_exception(type(error), error, own_traceback(error.__traceback__),
                                       limit=-FRAMES)
    text = encode("".join(lines))
    if len(text) > DETAIL_BYTES:
        text = b"...\n" + text[-DETAIL_BYTES:].partition(b"\n")[2]
    return text


def describe(error):
    try:
        message = str(error)
    except Exception as second:
        message = "its text cannot be had: %s" % type(second).__name__
    name = encode(type(error).__name__)
    try:
        return name, encode(message), traceback_text(error)
    except Exception:  # of code of the error, or there is no memory
        return name, encode(message), None


# ---- output ----


class OutputBytes(io.RawIOBase):
    def __init__(self, stream):
        self.stream = stream

    def writable(self):
        return True

    def fileno(self):
        return self.stream

    def write(self, data):
        write_output(self.stream, data)
        return memoryview(data).nbytes

    def flush(self):
        flush_output(self.stream)

    def close(self):
        pass


class Output(io.TextIOBase):
    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream, name):
        self.buffer = OutputBytes(stream)
        self.name = name

    def writable(self):
        return True

    def fileno(self):
        return self.buffer.stream

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("a str is written here, not %s" % type(text).__name__)
        write_output(self.buffer.stream, encode(text))
        return len(text)

    def flush(self):
        flush_output(self.buffer.stream)

    def close(self):
        pass


sys.stdout = sys.__stdout__ = Output(1, "<stdout>")
sys.stderr = sys.__stderr__ = Output(2, "<stderr>")
