import {
  getNamedType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isLeafType,
  Kind,
  typeFromAST,
  valueFromASTUntyped,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { SelsynError } from '../../kernel/errors.ts';

/** Levels of fields: `devices { items { shadow { version } } }` has four. */
export const MAX_DEPTH = 12;
/** See `measure`. */
export const MAX_COST = 10_000;

/** Of a field, in `extensions`. */
export interface CostExtensions {
  /** Of each time the field is asked for: what it costs beside what it gives. */
  readonly cost?: number;
  /** Of a field with the argument `first`: how many there are without it. */
  readonly defaultFirst?: number;
}

export interface QueryMeasure {
  readonly depth: number;
  /** How many objects it may give at the most, each list taken to be as long as `first` allows, and what fields say of themselves. */
  readonly cost: number;
}

/**
 * How deep and how costly an operation is, before any of it is done.
 *
 * An object costs 1, a scalar 0; what stands below a field with `first` costs `first` times. What fragments cost is reckoned once for
 * each, so that it takes no longer than the document is. Introspection is bounded by a rule of its own (graphql-js).
 *
 * @param document was validated: there are no cycles of fragments.
 */
export function measure(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): QueryMeasure {
  const root = schema.getRootType(operation.operation);
  if (root === undefined || root === null) return { depth: 0, cost: 0 };
  return new Measuring(schema, document, variables).of(operation.selectionSet, root);
}

/** @throws SelsynError `query.too-large` that says how costly it is, and how costly it may be. */
export function checkLimits({ depth, cost }: QueryMeasure): void {
  if (depth > MAX_DEPTH) {
    throw new SelsynError('query.too-large', `the query is ${depth} levels deep: at most ${MAX_DEPTH}`, {
      details: { depth, maxDepth: MAX_DEPTH },
    });
  }
  if (cost > MAX_COST) {
    throw new SelsynError('query.too-large', `the query costs ${cost}: at most ${MAX_COST}. Ask for fewer items by "first"`, {
      details: { cost: Math.min(cost, Number.MAX_SAFE_INTEGER), maxCost: MAX_COST },
    });
  }
}

class Measuring {
  readonly #schema: GraphQLSchema;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #known = new Map<string, QueryMeasure>();

  constructor(schema: GraphQLSchema, document: DocumentNode, variables: Readonly<Record<string, unknown>>) {
    this.#schema = schema;
    this.#variables = variables;
    this.#fragments = new Map(
      document.definitions.flatMap((node) => (node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [])),
    );
  }

  of({ selections }: SelectionSetNode, type: GraphQLNamedType): QueryMeasure {
    let [depth, cost] = [0, 0];
    for (const selection of selections) {
      const measured =
        selection.kind === Kind.FIELD
          ? this.#ofField(selection, type)
          : selection.kind === Kind.FRAGMENT_SPREAD
            ? this.#ofFragment(selection.name.value)
            : this.of(selection.selectionSet, this.#typeNamed(selection.typeCondition?.name.value) ?? type);
      depth = Math.max(depth, measured.depth);
      cost += measured.cost;
    }
    return { depth, cost };
  }

  #ofFragment(name: string): QueryMeasure {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const fragment = this.#fragments.get(name);
    const type = fragment === undefined ? undefined : typeFromAST(this.#schema, fragment.typeCondition);
    const measured = fragment === undefined || type === undefined ? NOTHING : this.of(fragment.selectionSet, type);
    this.#known.set(name, measured);
    return measured;
  }

  #ofField(node: FieldNode, parent: GraphQLNamedType): QueryMeasure {
    const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : undefined;
    // __typename, __schema, __type.
    if (field === undefined || isIntrospectionType(getNamedType(field.type))) return { depth: 1, cost: 0 };
    const { cost: own = 0 } = field.extensions as CostExtensions;
    const type = getNamedType(field.type);
    if (isLeafType(type) || node.selectionSet === undefined) return { depth: 1, cost: own };
    const below = this.of(node.selectionSet, type);
    return { depth: below.depth + 1, cost: own + this.#timesOf(node, field) * (1 + below.cost) };
  }

  /** How many objects a field gives, or the list within the page that it gives. */
  #timesOf(node: FieldNode, field: GraphQLField<unknown, unknown>): number {
    const { defaultFirst } = field.extensions as CostExtensions;
    if (defaultFirst === undefined) return 1;
    const first = node.arguments?.find(({ name }) => name.value === 'first');
    const asked: unknown = first === undefined ? undefined : valueFromASTUntyped(first.value, this.#variables);
    // What is no size is refused later on; until then it costs nothing.
    return typeof asked === 'number' ? Math.max(0, asked) : defaultFirst;
  }

  #typeNamed(name: string | undefined): GraphQLNamedType | undefined {
    return name === undefined ? undefined : (this.#schema.getType(name) ?? undefined);
  }
}

const NOTHING: QueryMeasure = { depth: 0, cost: 0 };
