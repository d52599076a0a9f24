import type { TopicWatcher } from '../broker/topic-watch.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { parseSparkplugTopic, SPARKPLUG_PREFIX } from '@selsyn/wire/topics/sparkplug-topics.ts';
import type { OnPresence } from './status-topics.ts';

/** Of a client: what it says of more is passed over. */
const MAX_DEVICES_OF_A_CLIENT = 10_000;

/** What a client has said to be there. */
interface Said {
  /** Those that have devices. */
  readonly nodes: Map<string, Set<DeviceId>>;
  /** Of all nodes. */
  devices: number;
}

/**
 * Hears from births and deaths of Sparkplug which devices behind an edge node are there. What a client says counts while it is connected
 * itself. Of the node itself its connection tells, where it connects under its own id.
 */
export class SparkplugPresence implements TopicWatcher {
  readonly filter = `${SPARKPLUG_PREFIX}#`;
  readonly #onPresence: OnPresence;
  /** By client. */
  readonly #said = new Map<string, Said>();

  constructor(onPresence: OnPresence) {
    this.#onPresence = onPresence;
  }

  published(client: string, principalId: string, topic: string): void {
    const parsed = parseSparkplugTopic(topic);
    if (parsed === undefined) return;
    const { message, nodeId, id } = parsed;
    if (message === 'NBIRTH') {
      // Its devices are born again behind it.
      this.#endNode(client, nodeId, id === principalId ? undefined : (id as DeviceId));
      if (id !== principalId) this.#begin(client, nodeId, id as DeviceId);
    } else if (message === 'DBIRTH') this.#begin(client, nodeId, id as DeviceId);
    else if (message === 'NDEATH') this.#endNode(client, nodeId);
    else if (message === 'DDEATH') this.#end(client, nodeId, id as DeviceId);
  }

  /** A client has gone. */
  left(client: string): void {
    const said = this.#said.get(client);
    if (said === undefined) return;
    this.#said.delete(client);
    for (const devices of said.nodes.values()) for (const device of devices) this.#onPresence(device, -1, 'speaker-gone');
  }

  #begin(client: string, nodeId: string, device: DeviceId): void {
    const said = this.#said.get(client) ?? { nodes: new Map<string, Set<DeviceId>>(), devices: 0 };
    this.#said.set(client, said);
    const devices = said.nodes.get(nodeId) ?? new Set();
    if (devices.has(device) || said.devices >= MAX_DEVICES_OF_A_CLIENT) return;
    said.nodes.set(nodeId, devices);
    devices.add(device);
    said.devices++;
    this.#onPresence(device, 1);
  }

  #end(client: string, nodeId: string, device: DeviceId): void {
    const said = this.#said.get(client);
    const devices = said?.nodes.get(nodeId);
    if (said === undefined || devices?.delete(device) !== true) return;
    said.devices--;
    if (devices.size === 0) said.nodes.delete(nodeId);
    this.#onPresence(device, -1, 'said-offline');
  }

  #endNode(client: string, nodeId: string, but?: DeviceId): void {
    for (const device of this.#said.get(client)?.nodes.get(nodeId) ?? []) {
      if (device !== but) this.#end(client, nodeId, device);
    }
  }
}
