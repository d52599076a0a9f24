import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LiveConnection } from './live-connection.ts';
import type { SseEvent } from './sse-parser.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A server whose streams the test feeds and ends. */
function setUp() {
  const opened: { devices: readonly string[]; signal: AbortSignal; stream: ReadableStreamDefaultController<Uint8Array> }[] = [];
  const events: SseEvent[] = [];
  const onResumed = vi.fn();
  const onJoined = vi.fn();
  const server = { down: false };
  const connection = new LiveConnection({
    open: async (devices, signal) => {
      if (server.down) throw new Error('refused');
      return new ReadableStream<Uint8Array>({ start: (stream) => void opened.push({ devices, signal, stream }) });
    },
    onEvent: (event) => events.push(event),
    onResumed,
    onJoined,
    random: () => 1,
    nowMs: () => Date.now(),
  });
  const say = async (data: string, event = 'message') => {
    opened.at(-1)?.stream.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${data}\n\n`));
    await vi.advanceTimersByTimeAsync(0);
  };
  return { connection, opened, events, onResumed, onJoined, server, say };
}

it('is open once the server has spoken, and hands its events on', async () => {
  const { connection, events, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  expect(connection.state().phase).toBe('connecting');
  await say('one');
  expect(connection.state().phase).toBe('open');
  expect(events).toEqual([{ event: 'message', data: 'one' }]);
});

it('comes back by itself with growing waits, and then asks for what was missed once', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  const { connection, opened, onResumed, server, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one');
  server.down = true;
  opened[0]?.stream.close();
  await vi.advanceTimersByTimeAsync(0);
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    const state = connection.state();
    if (state.phase !== 'lost') throw new Error('not lost');
    waits.push(state.retryAtMs - Date.now());
    await vi.advanceTimersByTimeAsync(state.retryAtMs - Date.now());
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  expect(onResumed).not.toHaveBeenCalled();
  server.down = false;
  connection.retryNow();
  await vi.advanceTimersByTimeAsync(0);
  await say('two');
  await say('three');
  expect(connection.state().phase).toBe('open');
  expect(onResumed).toHaveBeenCalledTimes(1);
});

it('takes silence for a loss', async () => {
  const { connection, opened, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one', 'stats');
  await vi.advanceTimersByTimeAsync(11_900);
  expect(connection.state().phase).toBe('open');
  opened[0]?.signal.addEventListener('abort', () => opened[0]?.stream.error(new Error('aborted')));
  await vi.advanceTimersByTimeAsync(200);
  expect(connection.state().phase).toBe('lost');
});

it('waits for two heartbeats of a feed that is not sent the rates of the server', async () => {
  const { connection, opened, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one', 'values');
  await vi.advanceTimersByTimeAsync(39_900);
  expect(connection.state().phase).toBe('open');
  opened[0]?.signal.addEventListener('abort', () => opened[0]?.stream.error(new Error('aborted')));
  await vi.advanceTimersByTimeAsync(200);
  expect(connection.state().phase).toBe('lost');
});

it('opens one new stream for another set of devices, without being lost', async () => {
  const { connection, opened, onResumed, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one');
  connection.watch(['a']);
  connection.watch(['a', 'b']);
  connection.watch(['a', 'b']);
  await vi.advanceTimersByTimeAsync(50);
  expect(opened.map(({ devices }) => devices)).toEqual([[], ['a', 'b']]);
  expect(opened[0]?.signal.aborted).toBe(true);
  await say('two');
  expect(connection.state().phase).toBe('open');
  expect(onResumed).not.toHaveBeenCalled();
});

it('stays away once it is stopped', async () => {
  const { connection, opened, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one');
  connection.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(connection.state().phase).toBe('idle');
  expect(opened).toHaveLength(1);
});

it('asks once for what came between the fetch of devices and the feed of them', async () => {
  const { connection, onJoined, onResumed, say } = setUp();
  connection.start();
  await vi.advanceTimersByTimeAsync(50);
  await say('one');
  expect(onJoined).not.toHaveBeenCalled();
  connection.watch(['a']);
  await vi.advanceTimersByTimeAsync(50);
  await say('two');
  await say('three');
  expect(onJoined).toHaveBeenCalledTimes(1);
  expect(onResumed).not.toHaveBeenCalled();
});
