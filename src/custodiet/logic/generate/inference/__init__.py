"""The five kinds of examples of LogicInference (Ontañón et al. 2022), every label of them proved."""
