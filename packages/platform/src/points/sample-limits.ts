import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';

/** Lines or rows that are none, of one body: beyond, nothing more of it is read. Each costs more than one that is kept. */
export const MAX_BROKEN = 10_000;
/** Values of one line or row: they are written in one go, and others wait for it. */
export const MAX_ROW_VALUES = 10_000;

export type SampleValue = number | boolean | string;

/** Why a metric may not have this name; undefined where it may. As the decoder of telemetry has it. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'the name of a metric is empty';
  const bytes = Buffer.byteLength(name);
  if (bytes > PAYLOAD_LIMITS.maxNameBytes) {
    return `the name of the metric "${shown(name)}" has ${bytes} bytes, and at most ${PAYLOAD_LIMITS.maxNameBytes} are taken`;
  }
  if (!name.isWellFormed()) return `the name of the metric "${shown(name)}" has half a surrogate pair`;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return 'the name of a metric has a control character';
  }
  return name === '__proto__' ? 'no metric can have the name "__proto__"' : undefined;
}

/** Why a value cannot be kept; undefined where it can. */
export function valueFault(value: SampleValue): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'a value is no finite number';
  if (typeof value === 'boolean') return undefined;
  if (value.length > PAYLOAD_LIMITS.maxTextBytes || Buffer.byteLength(value) > PAYLOAD_LIMITS.maxTextBytes) {
    return `a text has more than ${PAYLOAD_LIMITS.maxTextBytes} bytes`;
  }
  return value.isWellFormed() ? undefined : 'a text has half a surrogate pair';
}

/** Why a time cannot be that of a point; undefined where it can. @param timeMs whole */
export function timeFault(timeMs: number, nowMs: number): string | undefined {
  if (!(timeMs >= 0)) return 'the time lies before 1970';
  const aheadMs = PAYLOAD_LIMITS.maxFutureMs - FUTURE_SLACK_MS;
  if (timeMs > nowMs + aheadMs) return `the time lies more than ${Math.round(aheadMs / 3_600_000)} hours in the future`;
  return undefined;
}

/** The clock of the log may be so far behind that of a door, and a time that the door took must not be refused there. */
const FUTURE_SLACK_MS = 1_000;
const SHOWN = 64;

function shown(name: string): string {
  return name.length > SHOWN ? `${name.slice(0, SHOWN)}…` : name;
}
