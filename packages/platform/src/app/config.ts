import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { SelsynError, systemCode } from '../kernel/errors.ts';
import { CONFIG_SCHEMA, type Config } from './config-schema.ts';
import { unknownSetting } from './unknown-setting.ts';

/** Where settings come from, weakest first: defaults, file, environment, `--set`. */
export interface ConfigSources {
  /** Path of a JSON file with nested keys. */
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `key=value` pairs, as `mqtt.port=1884`. */
  readonly assignments: readonly string[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** Names of `SELSYN_…` variables that no setting has: likely a slip, worth a line. */
  readonly unknownVariables: readonly string[];
}

/** What the CLI itself reads; no settings of the platform. */
const FOREIGN_VARIABLES = new Set(['SELSYN_URL', 'SELSYN_KEY']);

/** @throws SelsynError `config.invalid` that names the key, what is wrong with it, and where it came from. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const keys = settingKeys();
  const raw: Tree = {};
  if (sources.file !== undefined) merge(raw, readConfigFile(sources.file));
  const unknownVariables = applyEnvironment(raw, keys, sources.environment);
  for (const assignment of sources.assignments) applyAssignment(raw, keys, assignment);

  const parsed = CONFIG_SCHEMA.safeParse(raw);
  if (!parsed.success)
    throw new SelsynError('config.invalid', parsed.error.issues.map((issue) => explain(issue, keys, raw)).join('; '));
  const config = parsed.data;
  const exposed = exposedListeners(config);
  if (config.access.mode === 'open' && exposed.length > 0) {
    throw new SelsynError(
      'config.invalid',
      `access.mode=open lets anybody in, so ${exposed.join(' and ')} must be on loopback (127.0.0.1, ::1, localhost)`,
    );
  }
  return { config: deepFreeze(config), unknownVariables };
}

/** The settings of hosts that others can reach. */
function exposedListeners({ mqtt, tls, ws, http, https }: Config): string[] {
  const hosts = {
    'mqtt.host': mqtt.host,
    ...(tls.enabled ? { 'tls.host': tls.host } : {}),
    ...(ws.enabled ? { 'ws.host': ws.host } : {}),
    'http.host': http.host,
    ...(tls.enabled && https.enabled ? { 'https.host': https.host } : {}),
  };
  return Object.entries(hosts).flatMap(([key, host]) => (isLoopback(host) ? [] : [key]));
}

/** True for 127.0.0.0/8, ::1 and `localhost`. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1' || host === '::ffff:127.0.0.1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** Every key in dotted form: `mqtt.port`. */
export function settingKeys(): readonly string[] {
  return Object.entries(CONFIG_SCHEMA.shape).flatMap(([name, field]) => {
    const inner = innermost(field);
    return inner instanceof z.ZodObject ? Object.keys(inner.shape).map((key) => `${name}.${key}`) : [name];
  });
}

function isSecret(key: string): boolean {
  const [section = '', name = ''] = key.split('.');
  const inner = innermost(CONFIG_SCHEMA.shape[section as keyof typeof CONFIG_SCHEMA.shape]);
  const field: unknown = inner instanceof z.ZodObject ? inner.shape[name] : undefined;
  return field instanceof z.ZodType && field.meta()?.['secret'] === true;
}

/** `mqtt.maxPacketBytes` is `SELSYN_MQTT_MAX_PACKET_BYTES`. */
export function variableOf(key: string): string {
  return `SELSYN_${key.replaceAll('.', '_').replaceAll(/([a-z])([A-Z])/g, '$1_$2')}`.toUpperCase();
}

type Tree = { [key: string]: unknown };

function innermost(field: unknown): unknown {
  return field instanceof z.ZodPrefault || field instanceof z.ZodDefault || field instanceof z.ZodOptional
    ? innermost(field.unwrap())
    : field;
}

function readConfigFile(path: string): Tree {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const code = systemCode(error);
    const why =
      code === undefined ? `is not JSON: ${error instanceof Error ? error.message : String(error)}` : `cannot be read (${code})`;
    throw new SelsynError('config.invalid', `the configuration ${path} ${why}`, { cause: error });
  }
  if (!isTree(content)) throw new SelsynError('config.invalid', `${path} must hold one JSON object`);
  return content;
}

function applyEnvironment(raw: Tree, keys: readonly string[], environment: ConfigSources['environment']): string[] {
  const byVariable = new Map(keys.map((key) => [squeeze(variableOf(key)), key]));
  const unknown: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('SELSYN_') || value === undefined || FOREIGN_VARIABLES.has(variable)) continue;
    const key = byVariable.get(squeeze(variable));
    if (key === undefined) unknown.push(variable);
    else assign(raw, key, value);
  }
  return unknown;
}

/** `SELSYN_ACCESS_ADMINKEY` and `SELSYN_ACCESS_ADMIN_KEY` are the same. */
function squeeze(variable: string): string {
  return variable.replaceAll('_', '');
}

function applyAssignment(raw: Tree, keys: readonly string[], assignment: string): void {
  const at = assignment.indexOf('=');
  if (at < 1) throw new SelsynError('config.invalid', `--set ${assignment}: expected key=value`);
  const key = assignment.slice(0, at);
  if (!keys.includes(key)) throw new SelsynError('config.invalid', `--set ${key}: ${unknownSetting(key, keys)}`);
  assign(raw, key, assignment.slice(at + 1));
}

function assign(raw: Tree, key: string, value: string): void {
  const [section = key, name] = key.split('.');
  if (name === undefined) raw[section] = value;
  else merge(raw, { [section]: { [name]: value } });
}

function merge(into: Tree, from: Tree): void {
  for (const [key, value] of Object.entries(from)) {
    const present = into[key];
    if (isTree(value) && isTree(present)) merge(present, value);
    else into[key] = isTree(value) ? structuredClone(value) : value;
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function explain(issue: z.core.$ZodIssue, keys: readonly string[], raw: Tree): string {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownSetting(path === '' ? key : `${path}.${key}`, keys)).join('; ');
  }
  const given = issue.path.reduce<unknown>((at, key) => (isTree(at) ? at[String(key)] : undefined), raw);
  return `${path} ${expectation(issue)}${isSecret(path) ? '' : `, not ${JSON.stringify(given)}`}`;
}

/** What a setting must be, in words that need no knowledge of types. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_big') return issue.origin === 'number' ? `must be at most ${issue.maximum}` : issue.message;
  if (issue.code === 'too_small')
    return issue.origin === 'string'
      ? `must be ${issue.minimum} characters long or longer`
      : `must be ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`;
  if (issue.code === 'invalid_value') return `must be ${issue.values.join(' or ')}`;
  if (issue.code === 'invalid_type')
    return `must be ${issue.expected === 'int' ? 'a whole number' : issue.expected === 'number' ? 'a number' : `a ${issue.expected}`}`;
  return issue.message;
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner as object);
  return Object.freeze(value);
}
