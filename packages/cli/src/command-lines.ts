import { printable } from './printable.ts';
import { formatAge } from './table.ts';

/** A command as the API shows it. */
export interface CommandItem {
  readonly id: string;
  readonly device: string;
  readonly name: string;
  readonly payload?: unknown;
  readonly state: string;
  readonly oneWay: boolean;
  readonly sends: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly reason?: string;
  readonly history: readonly { readonly state: string; readonly atMs: number }[];
  readonly progress?: { readonly payload?: unknown; readonly atMs: number };
  readonly answer?: CommandAnswerItem;
  readonly lateAnswer?: CommandAnswerItem;
  readonly createdBy: { readonly name: string };
}

interface CommandAnswerItem {
  readonly outcome: string;
  readonly payload?: unknown;
  readonly reason?: string;
  readonly atMs: number;
}

const SHORT = 40;

/** One line of a table: id, device, name, state, age, what the device said. */
export function commandRow({ id, device, name, state, createdAtMs, answer, reason }: CommandItem, nowMs: number): string[] {
  const said = answer?.payload === undefined ? (reason ?? '') : JSON.stringify(answer.payload);
  return [id, device, name, state, `${formatAge(nowMs - createdAtMs)} ago`, shortened(printable(said))];
}

/** All of a command, a line each. */
export function commandLines(item: CommandItem): string {
  const { id, device, name, payload, state, oneWay, sends, expiresAtMs, reason, history, progress, answer, lateAnswer } = item;
  const lines: (readonly [string, string | undefined])[] = [
    ['id', id],
    ['device', device],
    ['name', oneWay ? `${name} (one way)` : name],
    ['payload', jsonOf(payload)],
    ['state', reason === undefined ? state : `${state}: ${reason}`],
    ['given by', item.createdBy.name],
    ['sent', sends > 1 ? `${sends} times` : undefined],
    ...history.map((entry) => [entry.state, timeOf(entry.atMs)] as const),
    ['expires', answer === undefined && lateAnswer === undefined ? timeOf(expiresAtMs) : undefined],
    ['progress', answer === undefined ? jsonOf(progress?.payload) : undefined],
    ['answer', jsonOf(answer?.payload)],
    ['too late', lateAnswer === undefined ? undefined : `${lateAnswer.outcome} ${jsonOf(lateAnswer.payload) ?? ''}`.trim()],
  ];
  return lines.flatMap(([label, text]) => (text === undefined ? [] : [`${label.padEnd(9)}  ${printable(text)}`])).join('\n');
}

function jsonOf(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}

function shortened(text: string): string {
  return text.length <= SHORT ? text : `${text.slice(0, SHORT - 1)}…`;
}
