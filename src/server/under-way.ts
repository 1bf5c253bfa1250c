import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Responses that have begun and not ended, by the connection that they are for. */
export interface UnderWay {
  /** False when the connection asks for too much at once: then it is to be cut off. */
  add(response: ServerResponse): boolean
  of(connection: Duplex): readonly ServerResponse[]
  /** Whether the request that is still coming in has had its answer already, e.g. that there is no such path. */
  hasAnswered(connection: Duplex): boolean
  all(): readonly ServerResponse[]
}

/**
 * Answers that wait for each other on one connection. Browsers ask for one thing at a time, so does every proxy; and what
 * a client does not read is kept here.
 */
const PIPELINED_MOST = 16

export function createUnderWay(): UnderWay {
  const connections = new Map<Duplex, Set<ServerResponse>>()
  const answeredEarly = new WeakMap<Duplex, IncomingMessage>()

  function open(connection: Duplex): Set<ServerResponse> {
    const responses = new Set<ServerResponse>()
    connections.set(connection, responses)
    // A response that waits behind another one is told nothing when its client leaves.
    connection.once('close', () => connections.delete(connection))
    return responses
  }

  return {
    add(response) {
      const { socket } = response.req
      const responses = connections.get(socket) ?? open(socket)
      if (responses.size >= PIPELINED_MOST) return false
      responses.add(response)
      response.once('close', () => {
        responses.delete(response)
        if (!response.req.complete) answeredEarly.set(socket, response.req)
      })
      return true
    },
    of: (connection) => [...(connections.get(connection) ?? [])],
    hasAnswered: (connection) => answeredEarly.get(connection)?.complete === false,
    all: () => [...connections.values()].flatMap((responses) => [...responses]),
  }
}
