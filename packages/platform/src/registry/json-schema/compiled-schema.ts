import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { SelsynError } from '../../kernel/errors.ts';
import { LinearPattern } from '../../kernel/linear-pattern.ts';
import { checkSchemaBounds, type Dialect } from './schema-bounds.ts';

/** Those whose checks take time in proportion to the text. */
const FORMATS = ['date', 'time', 'date-time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'] as const;
const MAX_FAULT_LENGTH = 300;

/** A JSON Schema that values can be held against. */
export class CompiledSchema {
  readonly #validate: ValidateFunction;

  /**
   * Takes some ms.
   *
   * @param schema of draft 2020-12, or of draft 7 where it says so in `$schema`
   * @throws SelsynError `request.invalid` that says what is wrong with it
   */
  constructor(schema: unknown) {
    const dialect = checkSchemaBounds(schema);
    try {
      this.#validate = COMPILERS[dialect].compile(schema as object);
    } catch (error) {
      if (error instanceof SelsynError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new SelsynError('request.invalid', `the schema is not valid: ${why.slice(0, MAX_FAULT_LENGTH)}`, { cause: error });
    }
  }

  /** What is wrong with a value, for people: `config.interval must be <= 3600`. Undefined: nothing. The first fault ends the check. */
  fault(value: unknown): string | undefined {
    if (this.#validate(value)) return undefined;
    const [error] = this.#validate.errors ?? [];
    return (error === undefined ? 'it does not fit' : describe(error)).slice(0, MAX_FAULT_LENGTH);
  }
}

/** It keeps some of all that it ever compiled: so it is given up in time. */
const MAX_COMPILED = 200;

class Compiler {
  readonly #dialect: Dialect;
  #ajv: Ajv | Ajv2020 | undefined;
  #compiled = 0;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  compile(schema: object): ValidateFunction {
    if (this.#compiled++ % MAX_COMPILED === 0) this.#ajv = undefined;
    this.#ajv ??= ajvOf(this.#dialect);
    try {
      return this.#ajv.compile<unknown>(schema);
    } finally {
      this.#ajv.removeSchema(schema);
    }
  }
}

const COMPILERS: Readonly<Record<Dialect, Compiler>> = { '7': new Compiler('7'), '2020-12': new Compiler('2020-12') };

function ajvOf(dialect: Dialect): Ajv | Ajv2020 {
  const options: Options = {
    strict: true,
    // A mistyped keyword is found; how people write what they mean is theirs.
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    // One that is wrong in all its parts is not to cost more than one that is right.
    allErrors: false,
    logger: false,
    code: { regExp: linear },
  };
  const ajv = dialect === '7' ? new Ajv(options) : new Ajv2020(options);
  // A CommonJS module whose default export is that of the module in some settings.
  const add = formats as unknown as (ajv: Ajv | Ajv2020, options: object) => void;
  add(ajv, { mode: 'fast', formats: FORMATS });
  return ajv;
}

const linear = Object.assign((source: string): LinearPattern => new LinearPattern(source), {
  // Only for code that is generated to stand alone, which this is not.
  code: 'undefined',
});

function describe({ instancePath, keyword, message = 'does not fit', params }: ErrorObject): string {
  const path = instancePath
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
  const where = path === '' ? 'it' : path;
  const facts = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return `${where} must not have ${String(facts['additionalProperty'] ?? facts['unevaluatedProperty'])}`;
    case 'required':
      return `${where} must have ${String(facts['missingProperty'])}`;
    case 'enum':
      return `${where} must be one of ${JSON.stringify(facts['allowedValues'])}`;
    case 'const':
      return `${where} must be ${JSON.stringify(facts['allowedValue'])}`;
    case 'false schema':
      return `${where} must not be there`;
    default:
      return `${where} ${message}`;
  }
}
