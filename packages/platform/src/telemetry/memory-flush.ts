import type { Clock } from '../kernel/clock.ts';
import type { Maintenance } from './maintenance.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';
import type { FlushAnswer } from './upkeep-calls.ts';

const LOOK_MS = 100;
/** Less than a caller waits. */
const WITHIN_MS = 60_000;

/**
 * Writes what has come up to now into day files, without waiting for it to be old enough: what of the log is not consumed yet is
 * consumed before. Chunks are smaller for it, and joined later.
 */
export async function flushMemory(parts: {
  readonly writer: TelemetryWriter;
  readonly maintenance: Maintenance;
  readonly clock: Clock;
  /** Where each partition of the log ends now. */
  readonly ends: readonly number[];
  readonly stopping: AbortSignal;
  /** The thread looks again what there is to do. */
  readonly wake: () => void;
}): Promise<FlushAnswer> {
  const { writer, maintenance, clock, ends, stopping, wake } = parts;
  const { memtable, policy } = writer;
  const untilMs = clock.monotonicMs() + WITHIN_MS;
  const unread = (): number => ends.reduce((sum, end, index) => sum + Math.max(0, end - writer.positions[index]!), 0);
  const until = async (isDone: () => boolean): Promise<boolean> => {
    while (!isDone()) {
      if (stopping.aborted || clock.monotonicMs() >= untilMs) return false;
      wake();
      await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
    }
    return true;
  };
  const isRead = await until(() => unread() === 0);
  const { step } = memtable;
  policy.all();
  // What comes meanwhile may become due too: it is of a later step.
  const isStored = await until(() => memtable.dueBuffers === 0 || memtable.oldestStep() > step);
  if (isRead && isStored) return { done: true };
  if (!isRead) return { done: false, because: writer.replaying ? 'replaying' : 'behind', waiting: unread() };
  return { done: false, because: maintenance.failing ? 'failing' : 'busy', waiting: memtable.points };
}
