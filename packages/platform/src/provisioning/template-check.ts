import { z } from 'zod';
import { POLICY_NAME } from '../identity/policies/policy-store.ts';
import { SelsynError } from '../kernel/errors.ts';
import { hookUrlFault } from '../kernel/web-hooks.ts';
import { MAX_TAGS, TYPE_NAME_PATTERN } from '../registry/device.ts';
import { CompiledTemplate } from './compiled-template.ts';
import { TEMPLATE_NAME } from './provisioning-topics.ts';
import { DEFAULT_SERIAL_PARAMETER, PROOF_PARAMETER, SERVER_PARAMETER_PREFIX, type TemplateDefinition } from './template.ts';
import { PARAMETER_NAME } from './template-text.ts';

const MAX_TEMPLATE_BYTES = 64 * 1024;
const MAX_DEPTH = 8;
const MAX_TEXT = 2_048;
const MAX_URL = 2_048;
const PROBE_VALUE = '0';

const text = z.string().max(MAX_TEXT);
const parameterName = z.string().regex(PARAMETER_NAME, 'the name of a parameter is 1 to 128 of A-Z a-z 0-9 : _ . -');
const json = z.record(z.string().max(128), z.unknown());

/** A template as it is written; `checkTemplate` looks at the rest. */
export const templateDefinitionSchema = z.strictObject({
  description: z.string().max(1_000).default(''),
  parameters: z
    .record(parameterName, z.strictObject({ default: text.optional() }))
    .describe('What a device may say of itself; one without a default it must say.'),
  serial: parameterName.default(DEFAULT_SERIAL_PARAMETER).describe('Which parameter is the serial number.'),
  device: z.strictObject({
    id: text.min(1).describe('As `gh-${parameters.SerialNumber}`: of the serial number alone.'),
    name: text.min(1).optional(),
    type: z.string().regex(TYPE_NAME_PATTERN, 'must be the name of a device type').optional(),
    group: text.default('/').describe('As `/acme/${parameters.Site}`.'),
    tags: z.array(text).max(MAX_TAGS).default([]),
    attributes: json.default({}),
  }),
  policies: z.array(z.string().regex(POLICY_NAME, 'must be the name of a policy')).max(10).default([]),
  configuration: json.default({}).describe('What a device is told once it has enrolled; parameters may stand in its texts.'),
  manifestRequired: z.boolean().default(true).describe('Whether only serial numbers of the manifest may enrol.'),
  hook: z
    .strictObject({ url: z.string().max(MAX_URL) })
    .optional()
    .describe('Asked before each enrolment.'),
});

export type TemplateDraft = z.input<typeof templateDefinitionSchema>;

/**
 * Reads and checks a template as far as that can be done without the database: whatever of it a device could make fail is left,
 * whatever nobody could make work is refused.
 *
 * @throws SelsynError `request.invalid`
 */
export function checkTemplate(draft: unknown): { readonly definition: TemplateDefinition; readonly compiled: CompiledTemplate } {
  const result = templateDefinitionSchema.safeParse(draft);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw invalid(issue?.path.join('.') ?? '', issue?.message ?? 'it is not a template');
  }
  const data = result.data;
  if (!isPlainJson(data, MAX_DEPTH)) throw invalid('', `it is not plain JSON of at most ${MAX_DEPTH} levels`);
  if (Buffer.byteLength(JSON.stringify(data)) > MAX_TEMPLATE_BYTES)
    throw invalid('', `it has more than ${MAX_TEMPLATE_BYTES} bytes`);
  // Plain JSON was just checked, which is what attributes and configuration are made of.
  const definition = data as TemplateDefinition;
  checkNames(definition);
  if (definition.hook !== undefined) checkHookUrl(definition.hook.url);
  const compiled = new CompiledTemplate(definition);
  checkReferences(definition, compiled);
  // With a harmless value for each parameter it must give a device: a bad tag or a path that is none shows here.
  const probe = Object.fromEntries([...compiled.references].map((name) => [name, PROBE_VALUE]));
  compiled.fill(probe, probe);
  return { definition, compiled };
}

/** @throws SelsynError `request.invalid` */
export function checkTemplateName(name: string): string {
  if (TEMPLATE_NAME.test(name)) return name;
  throw invalid('name', 'the name of a template is 1 to 128 of A-Z a-z 0-9 : _ . -');
}

function checkNames({ parameters, serial }: TemplateDefinition): void {
  const names = Object.keys(parameters);
  if (names.length > 64) throw invalid('parameters', 'a template has at most 64 parameters');
  if (!names.includes(serial)) throw invalid('serial', `the serial number ${serial} is not among the parameters`);
  for (const name of names) {
    if (name.startsWith(SERVER_PARAMETER_PREFIX) && parameters[name]?.default !== undefined)
      throw invalid('parameters', `${name} comes from the server: it has no default`);
  }
  if (parameters[serial]?.default !== undefined) throw invalid('serial', 'a serial number has no default');
}

function checkReferences(definition: TemplateDefinition, compiled: CompiledTemplate): void {
  for (const name of compiled.references) {
    if (!Object.hasOwn(definition.parameters, name))
      throw invalid('parameters', `\${parameters.${name}} is used and not among the parameters`);
    if (name === PROOF_PARAMETER)
      throw invalid('parameters', `${PROOF_PARAMETER} is a secret of the device and can be put nowhere`);
  }
  const inId = new Set(compiled.idParameters);
  if (inId.size !== 1 || !inId.has(definition.serial)) {
    throw invalid(
      'device.id',
      `it must be made of \${parameters.${definition.serial}} alone: with another parameter a device could choose who it is`,
    );
  }
}

function checkHookUrl(url: string): void {
  const fault = hookUrlFault(url);
  if (fault !== undefined) throw invalid('hook.url', fault);
}

function isPlainJson(value: unknown, levels: number): boolean {
  if (value === null || typeof value === 'boolean' || value === undefined) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || levels === 0) return false;
  return Object.values(value).every((item) => isPlainJson(item, levels - 1));
}

function invalid(field: string, message: string): SelsynError {
  return new SelsynError('request.invalid', `the template is not taken: ${field === '' ? '' : `${field}: `}${message}`, {
    details: { field },
  });
}
