import { utf8LengthExceeds } from './utf8-length.ts';

/** The longest topic name or filter, in UTF-8 bytes [MQTT-4.7.3-3]. */
export const MAX_TOPIC_BYTES = 65_535;

/**
 * Whether a message may be published to this name: not empty [MQTT-4.7.3-1], no wildcard [MQTT-4.7.0-1], no U+0000
 * [MQTT-4.7.3-2], well-formed, at most 65,535 UTF-8 bytes [MQTT-4.7.3-3]. Empty levels are allowed.
 */
export function isValidTopicName(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code === PLUS || code === HASH || code === 0) return false;
  }
  return name.isWellFormed() && !utf8LengthExceeds(name, MAX_TOPIC_BYTES);
}

const HASH = 0x23;
const PLUS = 0x2b;
