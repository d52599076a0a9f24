import type { FastifyReply } from 'fastify';
import { SelsynError } from '../kernel/errors.ts';

/**
 * Runs work for a request that ends when the client has gone or the deadline has passed.
 *
 * @throws SelsynError `thread.timeout` after the deadline; `request.invalid` when the client has gone, which nobody reads.
 */
export async function withinDeadline<T>(
  reply: FastifyReply,
  deadlineMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new SelsynError('thread.timeout', `the request took longer than ${deadlineMs} ms`, { retryable: true }));
  }, deadlineMs);
  const gone = (): void => controller.abort(new SelsynError('request.invalid', 'the client has gone'));
  reply.raw.once('close', gone);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    reply.raw.off('close', gone);
  }
}
