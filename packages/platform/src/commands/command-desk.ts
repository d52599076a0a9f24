import type { LogLines } from '../kernel/log-lines.ts';
import type { Clock } from '../kernel/clock.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { DeviceRequest, Listening } from '../state/device-request.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { DeviceFacing } from '../state/state-domain.ts';
import type { StateWriter } from '../state/state-writer.ts';
import { AnswerError, encodeAws, readAnswer, type DeviceWord } from './command-answers.ts';
import type { CommandDomain } from './command-domain.ts';
import type { CommandListeners } from './command-listeners.ts';
import { parseDeviceTopic, verdictTopic, type DeviceTopic } from './command-topics.ts';
import type { SendOrder } from './command-work.ts';
import type { RequestDesk } from './requests/request-desk.ts';
import type { RequestDomain } from './requests/request-domain.ts';

export interface CommandDeskDependencies {
  readonly domain: CommandDomain;
  readonly listeners: CommandListeners;
  readonly requests: RequestDesk;
  readonly requestDomain: RequestDomain;
  readonly writer: StateWriter;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

const DEVICES_OF_WORK = 500;
const RECEIPTS_OF_WORK = 1_000;
/** While nothing can be written; what is forgotten was delivered all the same, and its answer says so. */
const MAX_RECEIPTS = 100_000;
const AFTER_FAILURE_MS = 1_000;

/**
 * What the commands have to do with devices: who listens gets what waits for it; what devices say is taken; what they acknowledge is
 * noted. What could not be written is tried again: sending by the device's next listening at the latest.
 */
export class CommandDesk implements DeviceFacing, AsyncDisposable {
  readonly #dependencies: CommandDeskDependencies;
  /** Devices to which something is to be sent; at most those that listen. */
  readonly #orders = new Map<string, SendOrder>();
  #receipts: string[] = [];
  #running: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: CommandDeskDependencies) {
    this.#dependencies = dependencies;
  }

  request(request: DeviceRequest): Promise<void> | undefined {
    const topic = parseDeviceTopic(request.topic);
    if (topic === undefined) return undefined;
    if (topic.kind === 'nothing') return Promise.resolve();
    return topic.kind === 'request' ? this.#dependencies.requests.answer(topic, request) : this.#answer(topic, request);
  }

  listening(listening: Listening): void {
    for (const device of this.#dependencies.listeners.add(listening)) this.#order({ device, again: true });
  }

  gone(link: ClientLink): void {
    this.#dependencies.listeners.remove(link);
  }

  delivered(receipt: string): void {
    this.#receipts.push(receipt);
    this.#begin();
  }

  /** The device listens, and more waits for it than was sent at once. */
  waiting(device: string): void {
    if (!this.#orders.has(device)) this.#order({ device, again: false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  async #answer(topic: DeviceTopic & { readonly kind: 'answer' }, request: DeviceRequest): Promise<void> {
    const { writer, domain } = this.#dependencies;
    const { flavour, command } = topic;
    const device = topic.device ?? request.principalId;
    let word: DeviceWord;
    try {
      word = readAnswer(flavour, request.payload);
    } catch (error) {
      if (!(error instanceof AnswerError)) throw error;
      await this.#reject(topic, device, error.message, request.from);
      return;
    }
    await writer.run(domain, { kind: 'answer', device, command, flavour, word, from: request.from });
  }

  /** Only AWS's devices have a topic for it. */
  async #reject({ flavour, command }: DeviceTopic & { readonly kind: 'answer' }, device: string, why: string, to: ClientLink) {
    if (flavour !== 'aws-json' && flavour !== 'aws-cbor') return;
    const { writer, requestDomain } = this.#dependencies;
    const payload = encodeAws(flavour, { error: 'InvalidRequest', errorMessage: why, executionId: command });
    const topic = verdictTopic(flavour === 'aws-json' ? 'json' : 'cbor', 'rejected', device, command);
    const message: OutgoingMessage = { device, topic, payload, to };
    await writer.run(requestDomain, { kind: 'say', message });
  }

  #order(order: SendOrder): void {
    this.#orders.set(order.device, order);
    this.#begin();
  }

  #begin(): void {
    if (this.#closed) return;
    this.#running ??= this.#run();
  }

  /** Whoever listens anew meanwhile gets all from the beginning. */
  #putBack(orders: readonly SendOrder[]): void {
    for (const order of orders) {
      const known = this.#orders.get(order.device);
      if (known === undefined || (order.again && !known.again)) this.#orders.set(order.device, order);
    }
  }

  /** One work at a time, of what has come together until then. */
  async #run(): Promise<void> {
    const { writer, domain, logLines, clock } = this.#dependencies;
    while ((this.#orders.size > 0 || this.#receipts.length > 0) && !this.#closed) {
      const orders = [...this.#orders.values()].slice(0, DEVICES_OF_WORK);
      for (const { device } of orders) this.#orders.delete(device);
      const ids = this.#receipts.slice(0, RECEIPTS_OF_WORK);
      this.#receipts = this.#receipts.slice(RECEIPTS_OF_WORK);
      try {
        const [sent] = await Promise.all([
          orders.length === 0 ? undefined : writer.run(domain, { kind: 'send', orders }),
          ids.length === 0 ? undefined : writer.run(domain, { kind: 'delivered', ids }),
        ]);
        if (sent?.kind === 'sent') this.#putBack(sent.rest);
      } catch (error) {
        logLines.warn({ err: error, devices: orders.length }, 'commands could not be sent; it is tried again');
        this.#putBack(orders);
        this.#receipts = [...ids, ...this.#receipts].slice(0, MAX_RECEIPTS);
        await new Promise<void>((resolve) => {
          const cancelTimer = clock.after(AFTER_FAILURE_MS, resolve);
          this.#cancel = () => (cancelTimer(), resolve());
        });
        this.#cancel = undefined;
      }
    }
    this.#running = undefined;
  }
}
