/** For thread.test.ts: a thread that ends, or fails to start, as it is told. */
import { SelsynError } from '../kernel/errors.ts';
import { runThread } from './thread.ts';

await runThread<string, { crash(argument: null): void; stop(argument: null): void }, null>(async (behaviour) => {
  const alive = new BroadcastChannel('thread-fixture');
  setInterval(() => alive.postMessage('beat'), 20);
  if (behaviour === 'fail') throw new SelsynError('log.full', 'no room');
  return {
    ready: null,
    calls: {
      crash: () => void crash(),
      stop: () => undefined,
    },
  };
});

async function crash(): Promise<void> {
  await Promise.resolve();
  throw new Error('crashed in the background');
}
