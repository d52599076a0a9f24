import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { systemActor } from '../audit/actor.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import type { Clock } from '../kernel/clock.ts';
import { type DeviceId, isDeviceId } from '../kernel/device-id.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RebirthRequest } from '../payloads/sparkplug/rebirth-requests.ts';
import { rebirthCommand } from '../payloads/sparkplug/sparkplug-command.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { SparkplugDirectory } from '../api/sparkplug-directory.ts';
import type { SparkplugCalls } from '../payloads/sparkplug/node-report.ts';
import type { ConnectedDevices } from './connected-devices.ts';
import { ROOT_GROUP } from '../registry/group-path.ts';
import type { SparkplugNewsBatch } from './sparkplug-news.ts';

const ACTOR = systemActor('sparkplug');
const TAG = 'sparkplug';
/** Devices that wait to be registered. */
const MAX_WAITING = 100_000;
const AT_ONCE = 100;

export interface SparkplugDeskOptions {
  readonly hostId: string;
  readonly register: boolean;
  readonly devices: Pick<DeviceStore, 'groupOf' | 'create'>;
  readonly connected: Pick<ConnectedDevices, 'registered'>;
  readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

/**
 * The host application of Sparkplug, as edge nodes see it: says that it is there, asks nodes for their births, and registers who was born.
 *
 * ```
 *   spBv1.0/STATE/{host}          retained   {"online":true,"timestamp":…}; what a host says by its will is said when the server stops
 *   spBv1.0/{group}/NCMD/{node}              Node Control/Rebirth
 * ```
 */
export class SparkplugDesk implements AsyncDisposable {
  readonly #options: SparkplugDeskOptions;
  readonly #ports: MessagePort[] = [];
  readonly #waiting = new Map<DeviceId, DeviceId>();
  #registering: Promise<void> | undefined;
  #onlineMs: number | undefined;

  constructor(options: SparkplugDeskOptions) {
    this.#options = options;
  }

  /** Where the thread that reads messages tells its news. */
  port(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (news: SparkplugNewsBatch) => void this.#heard(news));
    port1.unref();
    this.#ports.push(port1);
    return port2;
  }

  /**
   * Called before the doors are opened: a node that waits for its host finds it there (3.0.0, section 6.4.29), where an earlier run has
   * said so. Before anybody has asked for Sparkplug nothing is said: who subscribes to `#` would hear of it.
   */
  async start(isRetained: (topic: string) => Promise<boolean>): Promise<void> {
    if (await isRetained(this.#stateTopic)) await this.wanted();
  }

  /** Somebody listens to what hosts say, or a node was born. */
  async wanted(): Promise<void> {
    if (this.#onlineMs !== undefined || this.#options.hostId === '') return;
    // [tck-id-host-topic-phid-birth-payload-timestamp]: the same one in the death that ends it.
    this.#onlineMs = this.#options.clock.now();
    await this.#tellState(true, this.#onlineMs);
  }

  get #stateTopic(): string {
    return `spBv1.0/STATE/${this.#options.hostId}`;
  }

  async askForBirth(request: Pick<RebirthRequest, 'group' | 'node'>): Promise<void> {
    await this.#options.publish([this.#commandFor(request)]);
  }

  /** Called before the doors are closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const port of this.#ports) port.close();
    await this.#registering;
    if (this.#onlineMs !== undefined) await this.#tellState(false, this.#onlineMs);
  }

  async #heard({ rebirths, born }: SparkplugNewsBatch): Promise<void> {
    const { publish, logLines } = this.#options;
    this.#register(born);
    if (born.length > 0) await this.wanted();
    if (rebirths.length === 0) return;
    try {
      await publish(rebirths.map((request) => this.#commandFor(request)));
    } catch (error) {
      logLines.warn(
        { err: error, nodes: rebirths.length },
        'Edge nodes could not be asked for their births; they are with their next messages',
      );
    }
  }

  #commandFor({ group, node }: Pick<RebirthRequest, 'group' | 'node'>): OwnMessage {
    // 6.4.8 [tck-id-payloads-ncmd-qos], [tck-id-payloads-ncmd-retain].
    return { topic: `spBv1.0/${group}/NCMD/${node}`, payload: rebirthCommand(this.#options.clock.now()), qos: 0, retain: false };
  }

  async #tellState(online: boolean, timestamp: number): Promise<void> {
    const { publish, logLines } = this.#options;
    const payload = new TextEncoder().encode(JSON.stringify({ online, timestamp }));
    try {
      await publish([{ topic: this.#stateTopic, payload, qos: 1, retain: true }]);
    } catch (error) {
      logLines.warn({ err: error, online }, 'Edge nodes could not be told whether their host is there');
    }
  }

  #register(born: SparkplugNewsBatch['born']): void {
    if (!this.#options.register) return;
    for (const [id, nodeId] of born) {
      if (isDeviceId(id) && isDeviceId(nodeId) && this.#waiting.size < MAX_WAITING) this.#waiting.set(id, nodeId);
    }
    if (this.#waiting.size === 0) return;
    this.#registering ??= this.#registerAll().finally(() => {
      this.#registering = undefined;
    });
  }

  async #registerAll(): Promise<void> {
    const { devices, connected, clock, logLines } = this.#options;
    while (this.#waiting.size > 0) {
      const some = [...this.#waiting].slice(0, AT_ONCE);
      for (const [id] of some) this.#waiting.delete(id);
      try {
        const groups = await devices.groupOf(some.flat());
        for (const [id, nodeId] of some) {
          if (!groups.has(id)) await this.#create(id, groups.get(nodeId) ?? ROOT_GROUP);
        }
        await connected.registered(
          some.map(([id]) => id).filter((id) => !groups.has(id)),
          clock.now(),
        );
      } catch (error) {
        logLines.error(
          { err: error, devices: some.length },
          'Devices of Sparkplug could not be registered; they are when they are born again',
        );
      }
    }
  }

  async #create(id: DeviceId, group: string): Promise<void> {
    try {
      await this.#options.devices.create({ id, group, tags: [TAG] }, ACTOR);
    } catch (error) {
      if (!isSelsynError(error, 'device.exists')) throw error;
    }
  }
}

/** What the API asks, of the thread that knows. */
export function sparkplugDirectory(
  processor: Caller<SparkplugCalls>,
  desk: Pick<SparkplugDesk, 'askForBirth'>,
): SparkplugDirectory {
  return {
    nodes: async (query) => await processor.call('sparkplugNodes', query),
    node: async (id) => await processor.call('sparkplugNode', id),
    devices: async (query) => await processor.call('sparkplugDevices', query),
    detail: async (id) => await processor.call('sparkplugDetail', id),
    askForBirth: async (node) => await desk.askForBirth(node),
  };
}
