/*
 * Topics of Sparkplug B (Eclipse Sparkplug 3.0.0, chapter 4) that edge nodes publish to:
 *
 *   spBv1.0/{group}/{NBIRTH|NDATA|NDEATH}/{node}
 *   spBv1.0/{group}/{DBIRTH|DDATA|DDEATH}/{node}/{device}
 *
 * Whose a message is: `{group}:{node}`, or `{group}:{node}:{device}`. What may not stand in the id of a device there (a name may be any text
 * without `+`, `#` and `/`) is written as `::` and two hexadecimal digits for each byte of UTF-8: `Plant 1` is `Plant::201`.
 */
export const SPARKPLUG_PREFIX = 'spBv1.0/';

export type NodeMessage = 'NBIRTH' | 'NDATA' | 'NDEATH';
export type DeviceMessage = 'DBIRTH' | 'DDATA' | 'DDEATH';

export interface SparkplugTopic {
  readonly message: NodeMessage | DeviceMessage;
  readonly group: string;
  readonly node: string;
  /** Undefined: it is of the node itself. */
  readonly device: string | undefined;
  /** Of the node. */
  readonly nodeId: string;
  /** Whose the message is. */
  readonly id: string;
}

const OF_NODES: ReadonlySet<string> = new Set(['NBIRTH', 'NDATA', 'NDEATH']);
const OF_DEVICES: ReadonlySet<string> = new Set(['DBIRTH', 'DDATA', 'DDEATH']);
const MAX_ID = 128;
const PLAIN = /^[A-Za-z0-9_.-]+$/;

/** Undefined where it is none that edge nodes publish to, or an id would be too long. */
export function parseSparkplugTopic(topic: string): SparkplugTopic | undefined {
  if (!topic.startsWith(SPARKPLUG_PREFIX)) return undefined;
  const [, group = '', message = '', node = '', device, ...more] = topic.split('/');
  if (group === '' || node === '' || device === '' || more.length > 0) return undefined;
  if (!(device === undefined ? OF_NODES : OF_DEVICES).has(message)) return undefined;
  const nodeId = `${escaped(group)}:${escaped(node)}`;
  const id = device === undefined ? nodeId : `${nodeId}:${escaped(device)}`;
  if (id.length > MAX_ID) return undefined;
  // Which of both sets has it was just looked at.
  return { message: message as NodeMessage | DeviceMessage, group, node, device, nodeId, id };
}

/** What an id of a device says of Sparkplug: undefined where it is not that of a node, or of a device behind one. */
export function sparkplugNames(
  id: string,
): { readonly group: string; readonly node: string; readonly device?: string } | undefined {
  const parts = id.replaceAll(ESCAPED_BYTES, (bytes) => `\0${bytes.replaceAll('::', '')}\0`).split(':');
  const [group = '', node = '', device, ...more] = parts.map(unescaped);
  if (group === '' || node === '' || device === '' || more.length > 0) return undefined;
  return { group, node, ...(device !== undefined && { device }) };
}

const ESCAPED_BYTES = /(?:::[0-9a-f]{2})+/g;

function escaped(name: string): string {
  if (PLAIN.test(name)) return name;
  let text = '';
  for (const byte of new TextEncoder().encode(name)) {
    const character = String.fromCharCode(byte);
    text += PLAIN.test(character) ? character : `::${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function unescaped(part: string): string {
  return part.replaceAll(/\0([0-9a-f]+)\0/g, (_, hex: string) =>
    new TextDecoder().decode(
      Uint8Array.from({ length: hex.length / 2 }, (__, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
    ),
  );
}
