import { newQuickJSWASMModule } from 'quickjs-emscripten';
import { afterEach, expect, test, vi } from 'vitest';
import { DecodeScript } from './decode-script.ts';
import { STEP_LIMITS } from './script-mailbox.ts';

const MESSAGE = { payload: Uint8Array.of(7), device: 'd', topic: 't', type: '', arrivalMs: 1_790_000_000_000 };

afterEach(() => void vi.restoreAllMocks());

test('a script for which a busy machine has no time is not taken for one that takes too much', async () => {
  const script = new DecodeScript(await newQuickJSWASMModule(), STEP_LIMITS);
  const startedMs = performance.now();
  let looks = 0;
  // The machine does something else for a second whenever it is looked at the clock.
  vi.spyOn(performance, 'now').mockImplementation(() => startedMs + 1_000 * looks++);
  script.load('function decode(bytes) { let n = 0; for (let i = 0; i < 50_000; i++) n += i; return { v: bytes[0] } }');
  expect(script.call(MESSAGE)).toBe('{"v":7}');
  expect([script.steps > 5, script.isSlow]).toEqual([true, false]);
  script.dispose();
});

test('one that takes a processor for longer than it may, in few steps, is stopped', async () => {
  const script = new DecodeScript(await newQuickJSWASMModule(), { ...STEP_LIMITS, steps: 1_000_000, timeMs: 50 });
  script.load('function decode() { for (;;); }');
  expect(() => script.call(MESSAGE)).toThrow(expect.objectContaining({ code: 'script.over-limit' }));
  expect(script.isSlow).toBe(true);
});
