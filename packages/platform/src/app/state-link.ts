import type { MessagePort } from 'node:worker_threads';
import type { AudienceListener, Listener } from '../broker/audience.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import { type ClientRequest, NOT_TAKEN, type NotTaken, type RequestAnswer, type RequestHandler } from '../broker/requests.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { AudienceChange, FromState, ToState } from '../state/state-messages.ts';
import { failedRequest, isStateFilter, isStateTopic, throttledRequest } from './state-topics.ts';

/** Of one client at a time, as AWS IoT has it. */
const MAX_OF_A_CLIENT = 10;
/** Of what the platform has asked for itself: more than commands that a device may have. */
const MAX_ANSWERS_OF_A_CLIENT = 200;
/** Of all clients of a thread: more than the state writes in a second are refused, so that none waits for long. */
const MAX_WAITING = 20_000;
/** The same, with those of which nobody can be told that they are too many. */
const MAX_WAITING_AT_ALL = 2 * MAX_WAITING;

/** More than any request needs: what answers it has a longer topic, and must have room for it [MQTT-4.7.3-3]. */
const MAX_TOPIC_LENGTH = 1_024;

/** The broker, as far as the state sends by it. */
export interface StateSender {
  announce(message: OwnMessage): void;
  sendTo(client: string, message: OwnMessage, acknowledged?: () => void): boolean;
}

interface Waiting {
  readonly request: ClientRequest;
  readonly resolve: (answers: readonly RequestAnswer[] | NotTaken) => void;
}

const NONE: readonly RequestAnswer[] = [];

/** A gateway thread's end of the link to the thread of the state. */
export class StateLink implements RequestHandler, AudienceListener {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ofClient = new Map<string, number>();
  #lastNumber = 0;
  #requests: [number, ToState['requests'][number][1], string][] = [];
  #audience: AudienceChange[] = [];
  #scheduled = false;
  #sender: StateSender | undefined;

  constructor(port: MessagePort, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
  }

  /** Begins to bring messages to clients. */
  start(sender: StateSender): void {
    this.#sender = sender;
    this.#port.on('message', (message: FromState) => this.#take(message));
    this.#port.unref();
  }

  handles(topic: string): boolean {
    return isStateTopic(topic);
  }

  async answer(request: ClientRequest): Promise<readonly RequestAnswer[] | NotTaken> {
    const { client, topic, payload } = request;
    if (topic.length > MAX_TOPIC_LENGTH) return NOT_TAKEN;
    const asker = askerOf(request);
    const own = this.#ofClient.get(asker) ?? 0;
    if (own >= MAX_OF_A_CLIENT || this.#waiting.size >= MAX_WAITING) {
      const throttled = throttledRequest(topic, payload, this.#clock.now());
      const isFull = own >= MAX_ANSWERS_OF_A_CLIENT || this.#waiting.size >= MAX_WAITING_AT_ALL;
      if (throttled !== undefined || isFull) return throttled ?? NOT_TAKEN;
    }
    this.#ofClient.set(asker, own + 1);
    return await new Promise((resolve) => {
      const number = ++this.#lastNumber;
      this.#waiting.set(number, { request, resolve });
      const { clientId, principal } = request;
      this.#requests.push([number, { topic, payload, clientId, principalId: principal.id }, client]);
      this.#schedule();
    });
  }

  wants(filter: string): boolean {
    return isStateFilter(filter);
  }

  listening({ client, clientId, principal, filters, resumed }: Listener): void {
    this.#tell({ kind: 'listening', client, listening: { filters, clientId, principalId: principal.id, resumed } });
  }

  gone(client: string): void {
    this.#tell({ kind: 'gone', client });
  }

  #take({ messages, done, failed }: FromState): void {
    for (const message of messages) this.#send(message);
    for (const number of done) this.#settle(number, () => NONE);
    for (const number of failed)
      this.#settle(number, ({ topic, payload }) => failedRequest(topic, payload, this.#clock.now()) ?? NOT_TAKEN);
  }

  #send({ topic, payload, properties, to, receipt }: OutgoingMessage): void {
    const { expirySec, userProperties, ...plain } = properties ?? {};
    const message: OwnMessage = {
      topic,
      payload,
      qos: 1,
      retain: false,
      ...(properties !== undefined && {
        properties: {
          ...plain,
          ...(expirySec !== undefined && { messageExpirySec: expirySec }),
          ...(userProperties !== undefined && { userProperties: userProperties.map(([key, value]) => [key, value] as const) }),
        },
      }),
    };
    if (to === undefined) this.#sender?.announce(message);
    else if (receipt === undefined) this.#sender?.sendTo(to.client, message);
    else this.#sender?.sendTo(to.client, message, () => this.#tell({ kind: 'delivered', receipt, client: to.client }));
  }

  #settle(number: number, answersOf: (request: ClientRequest) => readonly RequestAnswer[] | NotTaken): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    this.#waiting.delete(number);
    const asker = askerOf(waiting.request);
    const left = (this.#ofClient.get(asker) ?? 1) - 1;
    if (left === 0) this.#ofClient.delete(asker);
    else this.#ofClient.set(asker, left);
    waiting.resolve(answersOf(waiting.request));
  }

  #tell(change: AudienceChange): void {
    this.#audience.push(change);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#port.postMessage({ requests: this.#requests, audience: this.#audience } satisfies ToState);
      this.#requests = [];
      this.#audience = [];
    });
  }
}

/** Whose requests are counted together: those of a client, or of one who has no connection, as it came by HTTP. */
function askerOf({ client, principal }: ClientRequest): string {
  return client === '' ? principal.id : client;
}
