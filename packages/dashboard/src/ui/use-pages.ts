import { useInfiniteQuery } from '@tanstack/react-query';
import type { Page } from '../api/page.ts';

/** What of a list was fetched, and how to get more of it. */
export interface Pages<T> {
  readonly items: readonly T[];
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly hasMore: boolean;
  readonly isFetchingMore: boolean;
  readonly fetchMore: () => void;
  readonly retry: () => void;
}

interface PagesOptions<T> {
  readonly key: readonly unknown[];
  readonly fetch: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>;
  /** How often, or how often with what is shown. */
  readonly refetchEveryMs?: number | ((items: readonly T[]) => number);
}

const MOST_PAGES = 20;

/** A list that comes in pages, each asked for by the cursor of the one before. */
export function usePages<T>({ key, fetch, refetchEveryMs }: PagesOptions<T>): Pages<T> {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => fetch(pageParam, signal),
    initialPageParam: undefined as string | undefined, // widens the type: the first page has no cursor
    getNextPageParam: (last: Page<T>) => last.cursor,
    maxPages: MOST_PAGES,
    refetchInterval: ({ state }) =>
      typeof refetchEveryMs === 'function'
        ? refetchEveryMs(state.data?.pages.flatMap((page) => page.items) ?? [])
        : (refetchEveryMs ?? false),
  });
  return {
    items: query.data?.pages.flatMap((page) => page.items) ?? [],
    isPending: query.isPending,
    error: query.error,
    hasMore: query.hasNextPage,
    isFetchingMore: query.isFetchingNextPage,
    fetchMore: () => void query.fetchNextPage(),
    retry: () => void query.refetch(),
  };
}
