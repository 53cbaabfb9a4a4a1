STATE = {"meta": __file__}
