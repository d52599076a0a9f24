import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Thread } from './thread.ts';

type TestCalls = { crash(argument: null): void; stop(argument: null): void };

async function start(behaviour: string): Promise<Thread<TestCalls, null>> {
  return await Thread.start<string, TestCalls, null>({
    name: 'test',
    script: new URL('./thread-fixture.ts', import.meta.url),
    data: behaviour,
    transfer: [],
  });
}

test('tells that a thread ended by a fault of its own, and stops it at once', async () => {
  const thread = await start('serve');
  await thread.calls.call('crash', null).catch(() => {});
  expect(String(await thread.failed)).toContain('crashed in the background');
  await pause(50);
  const startMs = performance.now();
  await thread.stop();
  // Nobody is waited for: that would be 20 s.
  expect(performance.now() - startMs).toBeLessThan(15_000);
});

test('ends a thread that could not start', async () => {
  const channel = new BroadcastChannel('thread-fixture');
  await expect(start('fail')).rejects.toMatchObject({ code: 'log.full', message: 'no room' });
  // It beats as long as it lives.
  await pause(100);
  let beats = 0;
  channel.onmessage = () => beats++;
  await pause(200);
  channel.close();
  expect(beats).toBe(0);
});
