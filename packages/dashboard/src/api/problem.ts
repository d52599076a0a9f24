/** A refusal or failure as the page shows it; from an RFC 9457 problem document where the server sent one. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly title: string;
  readonly detail: string;
  /** 0 when no answer came at all. */
  readonly status: number;
  readonly code: string;
  /** Facts for a program, as `{"field":"filter","position":12}`. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(fields: ProblemFields, cause?: unknown) {
    super(`${fields.title}: ${fields.detail}`, cause === undefined ? undefined : { cause });
    this.title = fields.title;
    this.detail = fields.detail;
    this.status = fields.status;
    this.code = fields.code;
    this.details = fields.details ?? {};
  }
}

interface ProblemFields {
  readonly title: string;
  readonly detail: string;
  readonly status: number;
  readonly code: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Reads an error answer; one that is not a problem document (a proxy's page) still gives a readable Problem. */
export async function problemOf(response: Response): Promise<Problem> {
  const fallback = {
    title: `The server answered ${response.status}`,
    detail: response.statusText,
    code: '',
    status: response.status,
  };
  try {
    const body: unknown = await response.json();
    if (typeof body !== 'object' || body === null) return new Problem(fallback);
    const textOf = (field: string, otherwise: string) => {
      const value: unknown = Reflect.get(body, field);
      return typeof value === 'string' && value !== '' ? value : otherwise;
    };
    return new Problem({
      title: textOf('title', fallback.title),
      detail: textOf('detail', fallback.detail),
      code: textOf('code', ''),
      status: response.status,
      details: detailsIn(body),
    });
  } catch (cause) {
    return new Problem(fallback, cause);
  }
}

function detailsIn(body: object): Readonly<Record<string, unknown>> {
  const details: unknown = Reflect.get(body, 'details');
  return typeof details === 'object' && details !== null ? { ...details } : {};
}

/** Whatever was thrown, as a Problem. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ title: 'Something went wrong on this page', detail, status: 0, code: '' }, error);
}
