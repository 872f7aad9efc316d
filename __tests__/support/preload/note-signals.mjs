// Loaded into a step's process before the step itself: says on stderr which signal has come. The step's own handler runs
// right after this one, before anything else can happen.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => process.stderr.write(`got ${signal}\n`))
