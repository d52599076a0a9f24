import type { InjectOptions } from 'fastify';
import { z } from 'zod';
import type { TestApi } from './api.fixture.ts';

type Json = { readonly [key: string]: unknown };

/** One operation of the OpenAPI document. */
export interface Operation {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its parameters: `/api/v1/devices/{id}`. */
  readonly path: string;
  /** Undefined: it asks for no key. */
  readonly permission: string | undefined;
  readonly everything: boolean;
  /** JSON Schema of the body, where there is one. */
  readonly body: Json | undefined;
  /** The media type of the body. */
  readonly bodyType: string | undefined;
  readonly requiredQuery: readonly { readonly name: string; readonly schema: Json }[];
  /** Whether the answer does not end. */
  readonly streams: boolean;
}

const operationSchema = z.looseObject({
  operationId: z.string(),
  'x-permission': z.string().optional(),
  'x-permission-at': z.string().optional(),
  parameters: z
    .array(
      z.object({ in: z.string(), name: z.string(), required: z.boolean().optional(), schema: z.record(z.string(), z.unknown()) }),
    )
    .default([]),
  requestBody: z
    .looseObject({ content: z.record(z.string(), z.looseObject({ schema: z.record(z.string(), z.unknown()) })) })
    .optional(),
  responses: z.record(z.string(), z.looseObject({ content: z.record(z.string(), z.unknown()).optional() })),
});
const documentSchema = z.looseObject({ paths: z.record(z.string(), z.record(z.string(), operationSchema)) });

/** All operations that the document of this API describes. */
export async function operationsOf(api: Pick<TestApi, 'app'>): Promise<readonly Operation[]> {
  const { paths } = documentSchema.parse((await api.app.inject('/openapi.json')).json());
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => {
      const [bodyType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
      return {
        id: operation.operationId,
        method: method.toUpperCase() as Operation['method'],
        path,
        permission: operation['x-permission'],
        everything: operation['x-permission-at'] === '/',
        body: content?.schema,
        bodyType,
        requiredQuery: operation.parameters.filter((each) => each.in === 'query' && each.required === true),
        streams: operation.responses['200']?.content?.['text/event-stream'] !== undefined,
      };
    }),
  );
}

/** What a request names: by the parameter of the path, the query or the body. */
export type Names = Readonly<Record<string, unknown>>;

/** A request that the operation takes, as far as its schemas tell, about the things that `names` says. */
export function requestOf(operation: Operation, names: Names): InjectOptions {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(textOf(names[name] ?? 'unknown')));
  const query = operation.requiredQuery.map(({ name, schema }): [string, string] => [
    name,
    textOf(names[name] ?? sample(schema, names)),
  ]);
  const search = query.length === 0 ? '' : `?${new URLSearchParams(query).toString()}`;
  const payload = operation.body === undefined ? undefined : sample(operation.body, names);
  return {
    method: operation.method,
    url: path + search,
    ...(payload === undefined
      ? {}
      : {
          payload: operation.bodyType === 'application/json' ? JSON.stringify(payload) : textOf(payload),
          headers: { 'content-type': operation.bodyType ?? 'application/json' },
        }),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A value that a JSON Schema allows: required fields, and those that `names` has something for. */
function sample(schema: Json, names: Names, field = ''): unknown {
  if (field !== '' && Object.hasOwn(names, field)) return names[field];
  if (schema['const'] !== undefined) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  const union = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(union)) return sample(union[0] as Json, names, field);
  switch (schema['type']) {
    case 'object': {
      const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Json>>;
      const required = new Set((schema['required'] ?? []) as readonly string[]);
      const shown = Object.entries(properties).filter(([name]) => required.has(name) || Object.hasOwn(names, name));
      return Object.fromEntries(shown.map(([name, inner]) => [name, sample(inner, names, name)]));
    }
    case 'array': {
      const items = schema['items'] as Json | undefined;
      return items === undefined || (schema['minItems'] ?? 0) === 0 ? [] : [sample(items, names)];
    }
    case 'number':
    case 'integer':
      return Math.max(1, Number(schema['minimum'] ?? 1));
    case 'boolean':
      return true;
    default:
      return 'x'.repeat(Math.max(1, Number(schema['minLength'] ?? 1)));
  }
}
