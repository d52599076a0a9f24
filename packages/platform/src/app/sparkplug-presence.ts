import type { TopicWatcher } from '../broker/topic-watch.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { parseSparkplugTopic, SPARKPLUG_PREFIX } from '@selsyn/wire/topics/sparkplug-topics.ts';
import type { OnPresence } from './status-topics.ts';

/** Of a client: what it says of more is passed over. */
const MAX_DEVICES_OF_A_CLIENT = 10_000;

/**
 * Hears from births and deaths of Sparkplug which devices behind an edge node are there. What a client says counts while it is connected
 * itself. Of the node itself its connection tells, where it connects under its own id.
 */
export class SparkplugPresence implements TopicWatcher {
  readonly filter = `${SPARKPLUG_PREFIX}#`;
  readonly #onPresence: OnPresence;
  /** By client, by node: who it has said to be there. */
  readonly #said = new Map<string, Map<string, Set<DeviceId>>>();

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
    else if (
      message === 'DDEATH' &&
      this.#said
        .get(client)
        ?.get(nodeId)
        ?.delete(id as DeviceId) === true
    ) {
      this.#onPresence(id as DeviceId, -1, 'said-offline');
    }
  }

  /** A client has gone. */
  left(client: string): void {
    const nodes = this.#said.get(client);
    if (nodes === undefined) return;
    this.#said.delete(client);
    for (const devices of nodes.values()) for (const device of devices) this.#onPresence(device, -1, 'speaker-gone');
  }

  #begin(client: string, nodeId: string, device: DeviceId): void {
    const nodes = this.#said.get(client) ?? new Map<string, Set<DeviceId>>();
    this.#said.set(client, nodes);
    const devices = nodes.get(nodeId) ?? new Set();
    nodes.set(nodeId, devices);
    if (devices.has(device) || [...nodes.values()].reduce((sum, { size }) => sum + size, 0) >= MAX_DEVICES_OF_A_CLIENT) return;
    devices.add(device);
    this.#onPresence(device, 1);
  }

  #endNode(client: string, nodeId: string, but?: DeviceId): void {
    const nodes = this.#said.get(client);
    const devices = nodes?.get(nodeId);
    if (devices === undefined) return;
    for (const device of devices) {
      if (device === but) continue;
      devices.delete(device);
      this.#onPresence(device, -1, 'said-offline');
    }
    if (devices.size === 0) nodes?.delete(nodeId);
  }
}
