import { describe } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { testStore } from './store.contract.ts'

describe.each(availableEngines)('the store on $name', testStore)
