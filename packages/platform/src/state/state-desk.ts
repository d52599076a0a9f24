import type { MessagePort } from 'node:worker_threads';
import { crc32 } from '@node-rs/crc32';
import type { Clock } from '../kernel/clock.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { ThrottledLines } from '../kernel/throttled-lines.ts';
import type { OutgoingMessage } from './outgoing.ts';
import type { DeviceFacing } from './state-domain.ts';
import type { FromState, ToState } from './state-messages.ts';

/**
 * Where the gateway threads ask. Messages of one device leave by one and the same gateway thread, from which they reach the subscribers
 * of all: so they keep their order. Those for one client leave by the thread that has it.
 */
export class StateDesk implements Disposable {
  readonly #lines: ThrottledLines;
  readonly #gateways: Gateway[] = [];
  #domains: readonly DeviceFacing[] = [];

  constructor(ports: readonly MessagePort[], logLines: LogLines, clock: Clock) {
    this.#lines = new ThrottledLines({ logLines, clock, sentence: 'a request of a device could not be done' });
    for (const [index, port] of ports.entries()) {
      this.#gateways.push(new Gateway(port));
      port.on('message', (message: ToState) => this.#take(index, message));
    }
  }

  /** Who answers. What comes before is kept waiting by the ports. */
  open(domains: readonly DeviceFacing[]): void {
    this.#domains = domains;
  }

  publish(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) {
      const index = message.to?.gateway ?? crc32(message.device) % this.#gateways.length;
      this.#gateways[index]?.publish(message);
    }
  }

  [Symbol.dispose](): void {
    for (const gateway of this.#gateways) gateway.close();
  }

  #take(index: number, { requests, audience }: ToState): void {
    for (const [number, request, client] of requests) {
      const done = this.#ask({ ...request, from: { gateway: index, client } });
      done.then(
        () => this.#gateways[index]?.done(number),
        (error: unknown) => {
          const reason = isSelsynError(error) ? error.code : 'internal';
          this.#lines.write('warn', reason, { err: error, topic: request.topic, client: request.clientId });
          this.#gateways[index]?.failed(number);
        },
      );
    }
    for (const change of audience) {
      const from = { gateway: index, client: change.client };
      for (const domain of this.#domains) {
        if (change.kind === 'listening') domain.listening?.({ ...change.listening, from });
        else if (change.kind === 'gone') domain.gone?.(from);
        else domain.delivered?.(change.receipt, from);
      }
    }
  }

  async #ask(request: Parameters<DeviceFacing['request']>[0]): Promise<void> {
    for (const domain of this.#domains) {
      const answering = domain.request(request);
      if (answering !== undefined) {
        await answering;
        return;
      }
    }
    throw new Error(`no domain answers ${request.topic}`);
  }
}

/** What goes to one gateway thread, gathered over a turn of the event loop. */
class Gateway {
  readonly #port: MessagePort;
  #messages: OutgoingMessage[] = [];
  #done: number[] = [];
  #failed: number[] = [];
  #scheduled = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  publish(message: OutgoingMessage): void {
    this.#messages.push(message);
    this.#schedule();
  }

  done(number: number): void {
    this.#done.push(number);
    this.#schedule();
  }

  failed(number: number): void {
    this.#failed.push(number);
    this.#schedule();
  }

  close(): void {
    this.#flush();
    this.#port.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#messages.length + this.#done.length + this.#failed.length === 0) return;
    this.#port.postMessage({ messages: this.#messages, done: this.#done, failed: this.#failed } satisfies FromState);
    this.#messages = [];
    this.#done = [];
    this.#failed = [];
  }
}
