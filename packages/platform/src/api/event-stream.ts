import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { LiveSink } from './live-client.ts';

const RETRY_MS = 2000;

/** Answers with a `text/event-stream` that does not end by itself; the headers that were set on the reply go along. */
export function beginEventStream(reply: FastifyReply): EventStream {
  reply.hijack();
  const response = reply.raw;
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) response.setHeader(name, value);
  }
  response.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  // Proxies of the nginx kind would gather events otherwise.
  response.setHeader('X-Accel-Buffering', 'no');
  response.writeHead(200);
  response.write(`retry: ${RETRY_MS}\n\n`);
  return new EventStream(response);
}

export class EventStream implements LiveSink {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get waitingBytes(): number {
    return this.#response.writableLength;
  }

  onDrained(call: () => void): void {
    this.#response.on('drain', call);
  }

  /** May be called more than once. */
  onGone(call: () => void): void {
    this.#response.on('close', call);
    this.#response.on('error', call);
  }

  write(text: string): void {
    if (!this.#response.writableEnded && !this.#response.destroyed) this.#response.write(text);
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}
