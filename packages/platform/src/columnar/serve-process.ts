import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { SelsynError } from '../kernel/errors.ts';
import type { CallReply, CallRequest, Calls } from '../kernel/thread-channel.ts';

/** Behind the threads that serve devices. */
const NICENESS = 10;

/** What ServedProcess was told to start with. */
export function startArgument(): Readonly<Record<string, unknown>> {
  return JSON.parse(process.argv[2] ?? '{}') as Readonly<Record<string, unknown>>;
}

/**
 * Answers the calls of ServedProcess. A thrown SelsynError reaches the caller as one, anything else as `columnar.failed`.
 * Without its parent the process ends at once, whatever its native threads do.
 */
export function serveProcess<C extends Calls>(calls: C): void {
  stepBack();
  process.on('message', (request: CallRequest) => void answer(calls, request));
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}

async function answer(calls: Calls, request: CallRequest): Promise<void> {
  const call = calls[request.call] as ((argument: unknown) => unknown) | undefined;
  let reply: CallReply;
  try {
    if (call === undefined) throw new SelsynError('internal', `no call named ${request.call}`);
    reply = { id: request.id, answer: await call(request.argument) };
  } catch (error) {
    const known =
      error instanceof SelsynError
        ? error
        : new SelsynError('columnar.failed', error instanceof Error ? error.message : String(error), { cause: error });
    const { code, message, details, retryable } = known;
    reply = { id: request.id, error: { code, message, details, retryable } };
  }
  process.send?.(reply);
}

/** Puts each of its threads, and those that they will start, behind those that serve devices. It was quick to start. */
function stepBack(): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), NICENESS);
  } catch {
    // Elsewhere than on Linux it keeps its priority.
  }
}
