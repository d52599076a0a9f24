import SchemaBuilder from '@pothos/core';
import { GraphQLError, Kind, valueFromASTUntyped, type ValueNode } from 'graphql';
import { MAX_JSON_LEVELS } from '../json-depth.ts';
import type { GraphqlContext } from './graphql-context.ts';

export interface SchemaTypes {
  /** Yoga copies the fields of a context: what has methods is one of them. */
  Context: { readonly selsyn: GraphqlContext };
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    JSON: { Input: unknown; Output: unknown };
    Timestamp: { Input: number; Output: number };
  };
}

type Types = PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>;
export type Builder = PothosSchemaTypes.SchemaBuilder<Types>;
/** An object type of the schema whose values are `T`. */
export type Ref<T> = PothosSchemaTypes.ObjectRef<Types, T>;
export type SubscriptionFields = PothosSchemaTypes.SubscriptionFieldBuilder<Types, Types['Root']>;

/** A builder with the scalars of the schema and its three roots. */
export function newBuilder(): Builder {
  const builder = new SchemaBuilder<SchemaTypes>({ defaultFieldNullability: false });
  builder.scalarType('JSON', {
    description: 'Any JSON value.',
    serialize: (value) => value,
    parseValue: (value) => value,
    parseLiteral: (node, variables) => {
      checkDepth(node, MAX_JSON_LEVELS);
      return valueFromASTUntyped(node, variables ?? undefined);
    },
  });
  builder.scalarType('Timestamp', {
    description: 'ms since 1970-01-01 UTC.',
    serialize: (value) => value,
    parseValue: timestampOf,
    parseLiteral: (node) => timestampOf(node.kind === Kind.INT ? Number(node.value) : undefined),
  });
  builder.queryType({ description: 'What there is. Everything is as far as the caller may see it.' });
  builder.mutationType({ description: 'What can be changed.' });
  builder.subscriptionType({ description: 'What happens, as it happens: by Server-Sent Events.' });
  return builder;
}

/** As for bodies that are JSON: what comes by a variable was checked there. */
function checkDepth(node: ValueNode, left: number): void {
  if (node.kind !== Kind.LIST && node.kind !== Kind.OBJECT) return;
  if (left === 0) throw new GraphQLError(`a JSON value is at most ${MAX_JSON_LEVELS} levels deep`);
  const inner = node.kind === Kind.LIST ? node.values : node.fields.map(({ value }) => value);
  for (const each of inner) checkDepth(each, left - 1);
}

function timestampOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new GraphQLError('a timestamp is a whole number of ms since 1970-01-01 UTC');
}
