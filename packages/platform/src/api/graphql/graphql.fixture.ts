import { asAdmin, type TestApi } from '../api.fixture.ts';

export interface GraphqlAnswer {
  readonly status: number;
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions: { readonly code: string; readonly details: Readonly<Record<string, unknown>> };
  }[];
}

/** Asks as the administrator, or with other headers. */
export async function ask(
  { app }: Pick<TestApi, 'app'>,
  query: string,
  variables?: object,
  headers: Readonly<Record<string, string>> = asAdmin,
): Promise<GraphqlAnswer> {
  const answer = await app.inject({
    method: 'POST',
    url: '/api/graphql',
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify({ query, variables }),
  });
  return { status: answer.statusCode, ...answer.json<Omit<GraphqlAnswer, 'status'>>() };
}

/** A key of a new program. */
export async function keyOf(api: Pick<TestApi, 'app'>, grants: readonly { readonly role: string; readonly group: string }[]) {
  const made = await api.app.inject({
    method: 'POST',
    url: '/api/v1/api-keys',
    headers: asAdmin,
    payload: { name: 'k', grants },
  });
  return { authorization: `Bearer ${made.json<{ key: string }>().key}` };
}
