const waiting = new Set<() => void>();
let installed = false;

/**
 * Runs `clean` when this process ends before its owner could, by a signal or an uncaught error too: benches must leave no
 * servers and no folders behind. `clean` must be synchronous. Returns what takes it off the list.
 */
export function onAbruptEnd(clean: () => void): () => void {
  if (!installed) install();
  waiting.add(clean);
  return () => waiting.delete(clean);
}

function install(): void {
  installed = true;
  process.on('exit', () => {
    for (const clean of waiting) clean();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
}
