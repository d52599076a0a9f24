import { SelsynError } from '../kernel/errors.ts';
import type { Parameters } from './provisioning-payload.ts';

/** A text with parameters in it: `gh-${parameters.SerialNumber}`. `$${` stands for `${` itself. */
export class TemplateText {
  readonly #parts: readonly Part[];

  /** @throws SelsynError `request.invalid` for a `${` that begins nothing known */
  constructor(text: string, field: string) {
    this.#parts = partsOf(text, field);
  }

  get parameters(): readonly string[] {
    return this.#parts.flatMap((part) => (typeof part === 'string' ? [] : [part.parameter]));
  }

  /** What stands in front of the first parameter. */
  get constantStart(): string {
    const [first] = this.#parts;
    return typeof first === 'string' ? first : '';
  }

  /** @param values of all its parameters */
  fill(values: Parameters): string {
    return this.#parts.map((part) => (typeof part === 'string' ? part : (values[part.parameter] ?? ''))).join('');
  }
}

type Part = string | { readonly parameter: string };

/** A name as AWS has them too: `AWS::IoT::Certificate::Id`. */
export const PARAMETER_NAME = /^[A-Za-z0-9:_.-]{1,128}$/;

function partsOf(text: string, field: string): readonly Part[] {
  const parts: Part[] = [];
  let constant = '';
  let position = 0;
  for (;;) {
    const start = text.indexOf('${', position);
    if (start < 0) break;
    if (text[start - 1] === '$' && start > position) {
      constant += `${text.slice(position, start - 1)}\${`;
      position = start + 2;
      continue;
    }
    const end = text.indexOf('}', start);
    const inside = end < 0 ? '' : text.slice(start + 2, end);
    const parameter = inside.startsWith('parameters.') ? inside.slice('parameters.'.length) : '';
    if (!PARAMETER_NAME.test(parameter)) {
      throw new SelsynError(
        'request.invalid',
        `${field}: what follows \${ is no parameter: write \${parameters.NAME}, or $\${ for the characters themselves`,
        {
          details: { field },
        },
      );
    }
    constant += text.slice(position, start);
    if (constant !== '') parts.push(constant);
    constant = '';
    parts.push({ parameter });
    position = end + 1;
  }
  constant += text.slice(position);
  if (constant !== '' || parts.length === 0) parts.push(constant);
  return parts;
}
