import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';

export interface JobOptions {
  readonly target?: readonly string[];
  readonly document?: string;
  readonly parameter?: readonly string[];
  readonly continuous?: boolean;
  readonly group?: string;
  readonly description?: string;
  readonly rate?: string;
  readonly timeout?: string;
  readonly retries?: string;
  readonly abort?: string;
  readonly start?: string;
  readonly end?: string;
  readonly endBehavior?: string;
  readonly window?: readonly string[];
  readonly zone?: string;
  readonly config?: string;
}

/**
 * The body of `POST /jobs` from the options of a command; what `--config` says is the ground, the other options come on top.
 *
 * @throws CliError that says which option is wrong
 */
export function jobBody(id: string, options: JobOptions): Record<string, unknown> {
  const { target = [], document, parameter = [], group, description, timeout, retries, abort } = options;
  const ground = options.config === undefined ? {} : jsonOf('--config', options.config);
  const given = {
    id,
    ...(target.length > 0 && { targets: target }),
    ...(document !== undefined && { document: jsonOf('--document', document) }),
    ...(options.continuous === true && { targetSelection: 'continuous' }),
    ...(group !== undefined && { group }),
    ...(description !== undefined && { description }),
    ...(parameter.length > 0 && { parameters: Object.fromEntries(parameter.map(pairOf)) }),
    ...(options.rate !== undefined && { rollout: rolloutOf(options.rate) }),
    ...(timeout !== undefined && { timeout: { inProgressMinutes: numberOf('--timeout', timeout) } }),
    ...(retries !== undefined && {
      retry: { criteria: [{ failureType: 'ALL', numberOfRetries: numberOf('--retries', retries) }] },
    }),
    ...(abort !== undefined && { abort: { criteria: [abortOf(abort)] } }),
  };
  const body = { ...ground, ...given };
  const schedule = { ...recordOf(ground['schedule']), ...scheduleOf(options) };
  if (Object.keys(schedule).length > 0) Object.assign(body, { schedule });
  if (!('targets' in body)) throw new CliError('say who is meant: --target group:/acme/b42 (or device:ID, fleet:ID, type:NAME)');
  if (!('document' in body))
    throw new CliError(`say what is to be done: --document '{"operation":"reboot"}', or a file: --document @job.json`);
  return body;
}

/** `100`: so many a minute at most. `10*2/100..1000`: begins at 10, twice that after each 100 devices, up to 1000. */
export function rolloutOf(text: string): object {
  if (/^\d+$/.test(text)) return { maximumPerMinute: Number(text) };
  const [, base, factor, every, maximum] = /^(\d+)\*(\d+(?:\.\d+)?)\/(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  if (base === undefined)
    throw new CliError(
      `--rate is a number a minute (100), or one that grows (10*2/100..1000: twice as fast after each 100 devices)`,
    );
  return {
    ...(maximum !== undefined && { maximumPerMinute: Number(maximum) }),
    exponential: {
      baseRatePerMinute: Number(base),
      incrementFactor: Number(factor),
      rateIncreaseCriteria: { numberOfNotifiedThings: Number(every) },
    },
  };
}

function abortOf(text: string): object {
  const [, percent, least = '1'] = /^(\d+(?:\.\d+)?)%?(?:\/(\d+))?$/.exec(text) ?? [];
  if (percent === undefined) throw new CliError('--abort is a percentage, and how many must be through before it counts: 10%/50');
  return {
    failureType: 'ALL',
    action: 'CANCEL',
    thresholdPercentage: Number(percent),
    minNumberOfExecutedThings: Number(least),
  };
}

function scheduleOf({ start, end, endBehavior, window = [], zone }: JobOptions): Record<string, unknown> {
  return {
    ...(start !== undefined && { startTime: start }),
    ...(end !== undefined && { endTime: end }),
    ...(endBehavior !== undefined && { endBehavior }),
    ...(window.length > 0 && { maintenanceWindows: window.map(windowOf) }),
    ...(zone !== undefined && { timeZone: zone }),
  };
}

function windowOf(text: string): object {
  const [, startTime, minutes] = /^(\S+(?: +\S+){4}) *\/ *(\d+)$/.exec(text.trim()) ?? [];
  if (startTime === undefined)
    throw new CliError('--window is a cron expression by the clocks of the device, and how many minutes: "0 2 * * * / 120"');
  return { startTime, durationMinutes: Number(minutes) };
}

function pairOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new CliError(`--parameter is NAME=VALUE, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `@file`, or the JSON itself. */
function jsonOf(option: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new CliError(`${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new CliError(`${option} must be a JSON object, or @ and the name of a file with one`);
}

function numberOf(option: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new CliError(`${option} must be a whole number`);
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
