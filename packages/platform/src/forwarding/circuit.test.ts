import { expect, test } from 'vitest';
import { FakeClock } from '../kernel/fake-clock.ts';
import { Circuit } from './circuit.ts';

const { signal } = new AbortController();

function newCircuit(): { readonly clock: FakeClock; readonly circuit: Circuit } {
  const clock = new FakeClock();
  return { clock, circuit: new Circuit({ clock, random: () => 1 }) };
}

/** Whether it has resolved by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

test('lets everybody through while all is well', async () => {
  const { circuit } = newCircuit();
  await Promise.all([circuit.admit(signal), circuit.admit(signal)]);
  expect(circuit.state).toBe('closed');
});

test('lets one try after a failure, after a delay that doubles up to a minute, and all again once it succeeds', async () => {
  const { clock, circuit } = newCircuit();
  const delays: number[] = [];
  for (let failures = 1; failures <= 10; failures += 1) {
    const admission = failures === 1 ? await circuit.admit(signal) : await waitingFor(circuit, clock, delays);
    expect(circuit.failed(admission, 'no')).toBe(failures === 5);
    expect(circuit.state).toBe(failures < 5 ? 'retrying' : 'open');
  }
  expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  const [one, other] = [circuit.admit(signal), circuit.admit(signal)];
  clock.advance(60_000);
  expect(await isDone(one)).toBe(true);
  expect(circuit.state).toBe('half-open');
  expect(await isDone(other)).toBe(false);
  expect(circuit.succeeded()).toBe(true);
  expect(await isDone(other)).toBe(true);
  expect(circuit.state).toBe('closed');
});

test('counts what was under way together, and failed together, as one failure', async () => {
  const { circuit } = newCircuit();
  const admissions = [await circuit.admit(signal), await circuit.admit(signal), await circuit.admit(signal)];
  for (const admission of admissions) circuit.failed(admission, 'no');
  expect(circuit.failures).toBe(1);
});

test('waits for as long as the target asks, within reason', async () => {
  const { clock, circuit } = newCircuit();
  circuit.failed(await circuit.admit(signal), 'busy', 10_000_000);
  const next = circuit.admit(signal);
  clock.advance(299_999);
  expect(await isDone(next)).toBe(false);
  clock.advance(1);
  expect(await isDone(next)).toBe(true);
});

test('lets nobody wait who has stopped', async () => {
  const { circuit } = newCircuit();
  circuit.failed(await circuit.admit(signal), 'no');
  const stop = new AbortController();
  const waiting = circuit.admit(stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});

test('lets the next one try where the one that was let through has left', async () => {
  const { clock, circuit } = newCircuit();
  circuit.failed(await circuit.admit(signal), 'no');
  clock.advance(500);
  await circuit.admit(signal);
  const next = circuit.admit(signal);
  expect(await isDone(next)).toBe(false);
  circuit.leave();
  expect(await isDone(next)).toBe(true);
});

/** Turns the clock until one is let through, and notes how long that took. */
async function waitingFor(circuit: Circuit, clock: FakeClock, delays: number[]): Promise<number> {
  const admitted = circuit.admit(signal);
  let waitedMs = 0;
  while (!(await isDone(admitted))) {
    clock.advance(500);
    waitedMs += 500;
  }
  delays.push(waitedMs);
  return await admitted;
}
